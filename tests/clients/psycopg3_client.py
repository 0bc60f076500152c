"""psycopg 3: extended protocol, binary results, prepared statements, a server-side cursor."""
import threading
import psycopg

connection = psycopg.connect("")


def one(sql, arguments=None, **more):
    return connection.execute(sql, arguments, **more).fetchone()[0]


print("customers", one("SELECT count(*) FROM customers"))
# 36 is alice: phones of others' customers are masked
rows = connection.execute("SELECT phone FROM customers WHERE owner_id <> %s AND name LIKE %s", (36, "%")).fetchall()
print("masked", rows != [] and all("*" in phone for phone, in rows))
print("list", one("SELECT count(*) FROM customers WHERE id = ANY(%s)", ([1, 2],)) >= 0)
print("quotes", one("SELECT %s::text", ("it's a \\ 'quote'",)))
print("catalogue", one("SELECT count(*) FROM information_schema.columns WHERE table_name = %s", ("customers",)) > 5)
print("columns", [column.name for column in connection.execute("SELECT id, name FROM customers").description])
with connection.cursor(binary=True) as cursor:
    print("binary", type(cursor.execute("SELECT created_at FROM customers LIMIT 1").fetchone()[0]).__name__)
for _ in range(7):
    count = one("SELECT count(*) FROM customers WHERE id > %s", (0,), prepare=True)
print("prepared", count)
with connection.cursor(name="streamed") as cursor:
    cursor.itersize = 2
    print("streamed", len([row for row in cursor.execute("SELECT id FROM customers ORDER BY id")]))
connection.commit()
with connection.pipeline():
    first = connection.execute("SELECT count(*) FROM customers")
    second = connection.execute("SELECT %s::int", (2,))
    print("pipeline", first.fetchone()[0], second.fetchone()[0])
connection.commit()

try:
    one("SELECT credit_limit FROM customers")
except psycopg.errors.UndefinedColumn as error:
    print("hidden", error.sqlstate)
connection.rollback()
try:
    with connection.cursor().copy("COPY customers TO STDOUT") as copy:
        list(copy)
except psycopg.errors.InsufficientPrivilege as error:
    print("export", error.sqlstate)
connection.rollback()
try:
    connection.execute("DELETE FROM customers")
except psycopg.Error as error:
    print("write refused", error.sqlstate in ("0A000", "42501"))
connection.rollback()

timer = threading.Timer(0.5, connection.cancel)
timer.start()
try:
    one("SELECT count(*) FROM generate_series(1, 4000000000)")
except psycopg.errors.QueryCanceled as error:
    print("cancelled", error.sqlstate)
connection.rollback()
print("usable", one("SELECT 1"))
connection.close()
