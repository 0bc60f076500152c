"""What Superset sends: a connection for each person, named by an option of the startup packet
(DB_CONNECTION_MUTATOR), search_path before the query, one statement of the user's script after the other."""
import psycopg2

def session(**more):
    return psycopg2.connect("", **more)

def count(cursor, sql="SELECT count(*) FROM public.customers"):
    try:
        cursor.execute(sql)
        return cursor.fetchone()[0]
    except psycopg2.Error as error:
        cursor.connection.rollback()
        return error.pgcode

for login in ("alice", "bob"):
    with session(options=f"-c rowgate.user={login}") as connection, connection.cursor() as cursor:
        cursor.execute('set search_path = "public"')
        print("option", login, count(cursor))
with session(application_name="superset:alice") as connection, connection.cursor() as cursor:
    print("application alice", count(cursor))
with session() as connection, connection.cursor() as cursor:
    print("nobody", count(cursor))
try:
    session(options="-c rowgate.user=nobody-of-that-name")
except psycopg2.Error as error:
    print("unknown", "permission denied to act for" in str(error))

# without autocommit a transaction is open before the statement; the connection stays usable
with session() as connection, connection.cursor() as cursor:
    print("in transaction", count(cursor, "SET ROLE alice"), count(cursor))
# Superset's own impersonation: the person's login with the tool's password
try:
    session(user="alice")
except psycopg2.Error as error:
    print("own impersonation", "password authentication failed" in str(error))

# a script of the user's own, one statement after the other
connection = session(options="-c rowgate.user=alice")
connection.autocommit = True
cursor = connection.cursor()
for statement in ("RESET ROLE", "SET ROLE bob", "SET rowgate.user = 'bob'", "SET SESSION AUTHORIZATION bob"):
    try:
        cursor.execute(statement)
        print("own script", statement, "passed")
    except psycopg2.Error as error:
        print("own script", statement, error.pgcode)
print("after own script", count(cursor))
