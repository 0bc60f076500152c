"""libpq 18 logs in by OAUTHBEARER: it asks what it needs for a token, and this program's hook gives one."""

import ctypes
import glob
import os

import psycopg
import psycopg_binary

libraries = os.path.join(os.path.dirname(psycopg_binary.__file__), "..", "psycopg_binary.libs")
libpq = ctypes.CDLL(glob.glob(os.path.join(libraries, "libpq-*"))[0])


class Request(ctypes.Structure):
    """PGoauthBearerRequest."""

    _fields_ = [
        ("openid_configuration", ctypes.c_char_p),
        ("scope", ctypes.c_char_p),
        ("do", ctypes.c_void_p),
        ("cleanup", ctypes.c_void_p),
        ("token", ctypes.c_char_p),
        ("user", ctypes.c_void_p),
    ]


BEARER_TOKEN = 1
Hook = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(Request))
token = b""


@Hook
def give(what, _connection, request):
    if what != BEARER_TOKEN:
        return 0
    request = request.contents
    print("asked", request.openid_configuration.decode(), request.scope.decode())
    request.token = token
    return 1


libpq.PQsetAuthDataHook(give)
print("libpq", psycopg.pq.version() // 10000)
for name in os.environ["TOKENS"].split():
    label, token = name.split("=", 1)
    token = token.encode()
    try:
        with psycopg.connect(
            "sslmode=verify-full require_auth=oauth oauth_client_id=rowgate oauth_issuer=" + os.environ["ISSUER"]
        ) as connection:
            print(label, *connection.execute("SELECT 'in'").fetchone())
    except psycopg.OperationalError as error:
        print(label, str(error).strip().splitlines()[-1])
