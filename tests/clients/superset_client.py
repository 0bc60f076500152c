"""What Superset sends with "Impersonate logged in user": the database's URL with the person's name in place of the tool's
and the tool's own password, an engine without a pool, and one statement of the user's script after the other."""
import os
import sys

from sqlalchemy import create_engine
from sqlalchemy.engine.url import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

def engine(username, **query):
    url = URL.create("postgresql+psycopg2", username=os.environ["PGUSER"], password=os.environ["PGPASSWORD"],
                     host=os.environ["PGHOST"], port=int(os.environ["PGPORT"]), database=os.environ["PGDATABASE"],
                     query={"sslmode": "require", "sslrootcert": "/nonexistent", **query})
    return create_engine(url.set(username=username), poolclass=NullPool)

def script(username, *statements, **query):
    """SQL Lab: a cursor of one connection."""
    said = []
    try:
        connection = engine(username, **query).raw_connection()
    except DBAPIError as error:
        return str(error.orig).strip().rsplit("FATAL:  ", 1)[-1]
    cursor = connection.cursor()
    for statement in statements:
        try:
            cursor.execute(statement)
            said.append(str(cursor.fetchall()[0][0]) if cursor.description else "done")
            connection.commit()
        except Exception as error:
            connection.rollback()
            said.append(error.pgcode)
    connection.close()
    return " ".join(said)

COUNT = "SELECT count(*) FROM public.customers"
for person in ("alice", "bob", "fiona", "nobody", os.environ["PGUSER"]):
    print(person, script(person, 'set search_path = "public"', COUNT))
print("names another", script("alice", "SET ROLE bob", COUNT, "RESET ROLE", COUNT, "SELECT 1"))
print("two people", script("alice", COUNT, options="-c rowgate.user=bob"))
os.environ["PGPASSWORD"] = sys.argv[1]
print("own password", script("alice", COUNT))
