"""Django: a model's save() writes every column; atomic blocks are savepoints."""
import os
import django
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import DatabaseError, connections, models, transaction


def database(login):
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["PGHOST"],
        "PORT": os.environ["PGPORT"],
        "NAME": os.environ["PGDATABASE"],
        "USER": login,
        "PASSWORD": login + "-demo",
    }


settings.configure(DATABASES={"default": database("alice"), "manager": database("yun")}, USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.AutoField")
django.setup()


class Customer(models.Model):
    external_id = models.UUIDField()
    name = models.CharField(max_length=80)
    owner_id = models.IntegerField(null=True)
    team_id = models.IntegerField(null=True)
    level = models.CharField(max_length=20)
    country = models.CharField(max_length=2)
    city = models.CharField(max_length=40)
    phone = models.CharField(max_length=24, null=True)
    email = models.CharField(max_length=120, null=True)
    tax_id = models.CharField(max_length=20, null=True)
    tags = ArrayField(models.TextField(null=True))
    profile = models.JSONField()
    founded_on = models.DateField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        app_label = "crm"
        managed = False
        db_table = "customers"


class Contact(models.Model):
    customer = models.ForeignKey(Customer, models.DO_NOTHING)
    name = models.CharField(max_length=60)
    title = models.CharField(max_length=60, null=True)
    phone = models.CharField(max_length=24, null=True)
    email = models.CharField(max_length=120, null=True)
    birthday = models.DateField(null=True)
    is_primary = models.BooleanField(default=False)
    languages = ArrayField(models.TextField(), default=list)
    preferences = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        app_label = "crm"
        managed = False
        db_table = "contacts"


class Opportunity(models.Model):
    customer = models.ForeignKey(Customer, models.DO_NOTHING)
    owner_id = models.IntegerField(null=True)
    team_id = models.IntegerField(null=True)
    title = models.CharField(max_length=120)
    stage = models.CharField(max_length=20, default="lead")
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    probability = models.SmallIntegerField()
    notes = models.JSONField(null=True)
    expected_on = models.DateField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        app_label = "crm"
        managed = False
        db_table = "opportunities"


def code(action):
    try:
        with transaction.atomic():
            action()
        return "went through"
    except DatabaseError as error:
        return error.__cause__.pgcode


mine = Customer.objects.filter(owner_id=36).order_by("id").first()
born = Contact.objects.filter(customer=mine, birthday__isnull=False).order_by("id").first()
contact = Contact.objects.create(customer=mine, name="Nora New", phone="+49 30 123", email="nora@example.com", created_at=mine.created_at)
print("created", Contact.objects.get(pk=contact.pk).phone)
contact.title = "CTO"
contact.save()
print("changed", Contact.objects.get(pk=contact.pk).title)
print("masked", born.birthday.month, born.birthday.day, mine.tax_id)
born.title = "Head"
born.save()
mine.city = "Ulm"
mine.save()
print("saved", Contact.objects.get(pk=born.pk).title, Customer.objects.get(pk=mine.pk).city)
born.birthday = "1980-05-05"
print("mask changed", code(born.save))
born.refresh_from_db()
old = {f.attname: getattr(mine, f.attname) for f in Customer._meta.fields if f.name not in ("tags", "profile")}
old = {k: v for k, v in old.items() if v is not None}
print("optimistic", Customer.objects.filter(**old).update(city="Bonn"), Customer.objects.filter(**old).update(city="Koln"))
with transaction.atomic():
    contact.title = "CEO"
    contact.save()
    mine.owner_id = 1
    print("given away", code(mine.save))
    mine.owner_id = 36
    contact.name = "Nora Newer"
    contact.save()
print("committed", Contact.objects.get(pk=contact.pk).name)
others = Customer.objects.exclude(owner_id=36).first()
others.city = "Nowhere"
try:
    others.save(force_update=True)
except DatabaseError as error:
    print("others", type(error).__name__)
print("delete", code(contact.delete))
bulk = Contact.objects.bulk_create([Contact(customer=mine, name=f"Bulk {i}", created_at=mine.created_at) for i in range(3)])
print("bulk", len([b for b in bulk if b.pk]))
for b in bulk:
    b.title = "Bulk"
Contact.objects.bulk_update(bulk, ["title"])
print("bulk changed", Contact.objects.filter(title="Bulk").count())
print("or created", Contact.objects.update_or_create(customer=mine, name="Bulk 0", defaults={"title": "Once"})[1])

deal = Opportunity.objects.using("manager").create(customer_id=mine.pk, owner_id=15, team_id=14, title="Deal", amount="12.50", probability=10, expected_on="2026-01-01", created_at=mine.created_at, updated_at=mine.created_at)
print("deleted", deal.delete()[0], Opportunity.objects.using("manager").filter(title="Deal").count())
for connection in connections.all():
    connection.close()
