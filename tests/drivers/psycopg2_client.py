# psycopg2: prints what it gets; the test compares a straight connection with one through rowgate.
import io
import sys
import threading

import psycopg2
from psycopg2.extras import RealDictCursor

connection = psycopg2.connect(sys.argv[1])
cursor = connection.cursor()
cursor.execute("select id, name, phone, tags, profile, created_at from customers where id > %s order by id limit 3", (0,))
print(cursor.fetchall())
print([d.name for d in cursor.description], [d.type_code for d in cursor.description])
named = connection.cursor("named")
named.itersize = 5
named.execute("select id from customers order by id")
print(len(list(named)))
named.close()
try:
    cursor.execute("select * from nope")
except psycopg2.Error as error:
    print(error.pgcode, error.pgerror)
connection.rollback()
copied = io.StringIO()
cursor.copy_expert("copy (select generate_series(1, 3), 'x') to stdout", copied)
print(repr(copied.getvalue()))
with connection.cursor(cursor_factory=RealDictCursor) as dictionary:
    dictionary.execute("select count(*) as n from contacts")
    print(dictionary.fetchone())
cursor.execute("create temp table mine as select 1 as a")
cursor.execute("select * from mine")
print(cursor.fetchall())
connection.commit()
timer = threading.Timer(0.3, connection.cancel)
timer.start()
try:
    cursor.execute("select pg_sleep(20)")
except psycopg2.Error as error:
    print(error.pgcode)
timer.join()
connection.rollback()
print(connection.encoding, connection.server_version)
connection.close()
