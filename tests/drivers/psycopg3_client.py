# psycopg 3: prints what it gets; the test compares a straight connection with one through rowgate.
import sys
import threading

import psycopg

connection = psycopg.connect(sys.argv[1])
with connection.cursor() as cursor:
    # the same statement often enough to be prepared on the server
    for number in range(8):
        cursor.execute("select id, tags, profile, created_at from customers where id > %s order by id limit 1", (number,))
        print(cursor.fetchone())
    with cursor.copy("copy (select generate_series(1, 3)) to stdout") as copy:
        print(list(copy.rows()))
    cursor.execute("select %s::text, %b::int4", ("x", 5))
    print(cursor.fetchall())
with connection.pipeline():
    one = connection.execute("select 1")
    two = connection.execute("select 2")
    print(one.fetchone(), two.fetchone())
try:
    with connection.pipeline():
        connection.execute("select 1")
        connection.execute("select 1 / 0")
        connection.execute("select 2")
except psycopg.Error as error:
    print(error.sqlstate)
connection.rollback()
with connection.cursor(binary=True) as cursor:
    cursor.execute("select id, created_at, credit_limit, founded_on, external_id from customers order by id limit 2")
    print(cursor.fetchall())
with connection.cursor("server_side") as cursor:
    cursor.execute("select id from customers order by id")
    print(len(cursor.fetchmany(7)), len(cursor.fetchall()))
connection.commit()
with connection.transaction():
    try:
        with connection.transaction():
            connection.execute("select * from nope")
    except psycopg.Error as error:
        print(error.sqlstate)
    print(connection.execute("select 3").fetchone())
timer = threading.Timer(0.3, connection.cancel)
timer.start()
try:
    connection.execute("select pg_sleep(20)")
except psycopg.Error as error:
    print(error.sqlstate)
timer.join()
connection.rollback()
print(connection.info.server_version, connection.info.encoding, connection.info.transaction_status)
connection.close()
