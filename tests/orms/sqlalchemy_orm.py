"""SQLAlchemy: the unit of work, every column written back, optimistic locking by the values that were read."""
import os
import datetime
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.automap import automap_base
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified


def engine(login):
    address = f"{os.environ['PGHOST']}:{os.environ['PGPORT']}/{os.environ['PGDATABASE']}"
    return sa.create_engine(f"postgresql+psycopg2://{login}:{login}-demo@{address}")


metadata = sa.MetaData()
rep = engine("alice")
# the column that the representative does not have, and a generated one, are left out as an application would
for table, absent in {"customers": ["credit_limit", "contact_line"], "contacts": [], "opportunities": ["expected_amount"]}.items():
    reflected = sa.Table(table, sa.MetaData(), autoload_with=rep, resolve_fks=False)
    columns = [sa.Column(c.name, c.type, primary_key=c.primary_key) for c in reflected.columns if c.name not in absent]
    sa.Table(table, metadata, *columns)
Base = automap_base(metadata=metadata)
Base.prepare()
Customer, Contact, Opportunity = Base.classes.customers, Base.classes.contacts, Base.classes.opportunities


def code(session, action):
    try:
        with session.begin_nested():
            action()
            session.flush()
        return "went through"
    except DBAPIError as error:
        return error.orig.pgcode


def touch_all(row):
    for column in sa.inspect(type(row)).columns:
        if not column.primary_key:
            flag_modified(row, column.key)


session = Session(rep)
mine = session.query(Customer).filter_by(owner_id=36).order_by(Customer.id).first()
born = session.query(Contact).filter(Contact.customer_id == mine.id, Contact.birthday.isnot(None)).order_by(Contact.id).first()
contact = Contact(customer_id=mine.id, name="Nora New", phone="+49 30 123", email="nora@example.com", is_primary=False, languages=[], preferences={}, created_at=mine.created_at)
session.add(contact)
session.commit()
print("created", contact.phone)
contact.title = "CTO"
session.commit()
print("changed", contact.title)
print("masked", born.birthday.month, born.birthday.day, mine.tax_id)
born.title, mine.city = "Head", "Ulm"
touch_all(born)
touch_all(mine)
session.commit()
print("saved", born.title, mine.city)


def change_mask():
    born.birthday = datetime.date(1980, 5, 5)


def give_away():
    mine.owner_id = 1


print("mask changed", code(session, change_mask))
session.rollback()
table = Customer.__table__
old = {c.name: getattr(mine, c.name) for c in table.columns}
same = sa.and_(*(table.c[k].is_(None) if v is None else table.c[k] == sa.cast(v, table.c[k].type) for k, v in old.items()))
counts = [session.execute(table.update().where(same).values(city=city)).rowcount for city in ("Bonn", "Koln")]
print("optimistic", *counts)
session.commit()
contact.title = "CEO"
session.flush()
print("given away", code(session, give_away))
contact.name = "Nora Newer"
session.commit()
print("committed", contact.name)
others = session.execute(table.update().where(table.c.owner_id != 36).values(city="Nowhere")).rowcount
print("others", others)
print("delete", code(session, lambda: session.delete(contact)))
session.rollback()
session.bulk_save_objects([Contact(customer_id=mine.id, name=f"Bulk {i}", is_primary=False, languages=[], preferences={}, created_at=mine.created_at) for i in range(3)])
session.commit()
print("bulk", session.query(Contact).filter(Contact.name.like("Bulk %")).count())
values = {"id": contact.id, "customer_id": mine.id, "name": "Up", "is_primary": False, "languages": [], "preferences": {}, "created_at": mine.created_at}
upsert = insert(Contact.__table__).values(values)
upsert = upsert.on_conflict_do_update(index_elements=["id"], set_={"name": upsert.excluded.name}).returning(Contact.__table__.c.name)
print("upsert", session.execute(upsert).scalar())
session.commit()

with Session(engine("yun")) as manager:
    deal = Opportunity(customer_id=mine.id, owner_id=15, team_id=14, title="Deal", stage="lead", products=[], amount=12.5, probability=10, expected_on=datetime.date(2026, 1, 1), created_at=mine.created_at, updated_at=mine.created_at)
    manager.add(deal)
    manager.commit()
    manager.delete(deal)
    manager.commit()
    print("deleted", manager.query(Opportunity).filter_by(title="Deal").count())
