"""psycopg2: parameters are written into the text by the driver."""
import io
import threading
import psycopg2
import psycopg2.errors
import psycopg2.extensions

connection = psycopg2.connect("")
cursor = connection.cursor()


def one(sql, *arguments):
    cursor.execute(sql, arguments or None)
    return cursor.fetchone()[0]


print("customers", one("SELECT count(*) FROM customers"))
# 36 is alice: phones of others' customers are masked
cursor.execute("SELECT phone FROM customers WHERE owner_id <> %s AND name LIKE %s", (36, "%"))
phones = [phone for phone, in cursor.fetchall()]
print("masked", phones != [] and all("*" in phone for phone in phones))
print("list", one("SELECT count(*) FROM customers WHERE id = ANY(%s) OR id IN %s", [1, 2], (3, 4)) >= 0)
print("quotes", one("SELECT %s", "it's a \\ 'quote'"))
print("catalogue", one("SELECT count(*) FROM information_schema.columns WHERE table_name = 'customers'") > 5)
print("columns", [column.name for column in (cursor.execute("SELECT id, name FROM customers"), cursor.description)[1]])

named = connection.cursor("streamed")
named.itersize = 2
named.execute("SELECT id FROM customers ORDER BY id")
print("streamed", len([row for row in named]))
named.close()
connection.commit()

try:
    one("SELECT credit_limit FROM customers")
except psycopg2.errors.UndefinedColumn as error:
    print("hidden", error.pgcode)
connection.rollback()
try:
    cursor.copy_expert("COPY customers TO STDOUT", io.StringIO())
except psycopg2.errors.InsufficientPrivilege as error:
    print("export", error.pgcode)
connection.rollback()
try:
    cursor.execute("DELETE FROM customers")
except psycopg2.Error as error:
    print("write refused", error.pgcode in ("0A000", "42501"))
connection.rollback()

timer = threading.Timer(0.5, connection.cancel)
timer.start()
try:
    one("SELECT count(*) FROM generate_series(1, 4000000000)")
except psycopg2.errors.QueryCanceled as error:
    print("cancelled", error.pgcode)
connection.rollback()
print("usable", one("SELECT 1"))
connection.close()
