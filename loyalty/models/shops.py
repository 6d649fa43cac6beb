"""Where and by whom things are sold: shops, tills, staff, API keys, products."""

from tortoise import fields
from tortoise.models import Model

from loyalty.ids import next_id
from loyalty.models.fields import InstantField


class Shop(Model):
    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    code = fields.CharField(max_length=32, unique=True)
    name = fields.CharField(max_length=200)
    city = fields.CharField(max_length=120, default="")
    address = fields.CharField(max_length=300, default="")
    timezone = fields.CharField(max_length=64, default="Europe/Moscow")

    class Meta:
        table = "shop"


class Till(Model):
    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    shop: fields.ForeignKeyRelation[Shop] = fields.ForeignKeyField(
        "loyalty.Shop", related_name="tills", on_delete=fields.RESTRICT
    )
    code = fields.CharField(max_length=32, unique=True)
    name = fields.CharField(max_length=120)
    closed_at = InstantField(null=True)

    class Meta:
        table = "till"


class StaffMember(Model):
    """An employee who signs in with a login and a password (argon2)."""

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    login = fields.CharField(max_length=64, unique=True)
    name = fields.CharField(max_length=200)
    role = fields.CharField(max_length=16)  # owner | marketer | operator | cashier
    password_hash = fields.CharField(max_length=200)
    shop: fields.ForeignKeyNullableRelation[Shop] = fields.ForeignKeyField(
        "loyalty.Shop", related_name="staff", on_delete=fields.RESTRICT, null=True
    )
    language = fields.CharField(max_length=8, default="ru")
    created_at = InstantField()
    disabled_at = InstantField(null=True)

    class Meta:
        table = "staff_member"


class StaffSession(Model):
    """A signed-in browser. Only the hash of its token is kept."""

    token_hash = fields.CharField(max_length=64, primary_key=True)
    staff: fields.ForeignKeyRelation[StaffMember] = fields.ForeignKeyField(
        "loyalty.StaffMember", related_name="sessions", on_delete=fields.CASCADE
    )
    till: fields.ForeignKeyNullableRelation[Till] = fields.ForeignKeyField(
        "loyalty.Till", related_name="sessions", on_delete=fields.RESTRICT, null=True
    )
    csrf_token = fields.CharField(max_length=64)
    created_at = InstantField()
    expires_at = InstantField()
    ended_at = InstantField(null=True)

    class Meta:
        table = "staff_session"


class ApiKey(Model):
    """A key of a till program. Only its hash is kept, and it acts for one till."""

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    key_hash = fields.CharField(max_length=64, unique=True)
    hint = fields.CharField(max_length=16)
    till: fields.ForeignKeyRelation[Till] = fields.ForeignKeyField(
        "loyalty.Till", related_name="api_keys", on_delete=fields.RESTRICT
    )
    scopes = fields.CharField(max_length=200, default="till")
    created_at = InstantField()
    revoked_at = InstantField(null=True)

    class Meta:
        table = "api_key"


class Product(Model):
    """A thing sold. `units_per_pack` counts tablets, capsules or doses, and it feeds refill reminders.

    So it does with `daily_milli` (usual units a day, in thousandths; 0: nothing that one takes over time).
    Packs of one medicine share its `medicine`; "" where there is only this one.
    """  # noqa: E501

    sku = fields.CharField(max_length=64, primary_key=True)
    name = fields.CharField(max_length=200)
    category = fields.CharField(max_length=64)
    price_minor = fields.BigIntField()
    units_per_pack = fields.IntField(default=0)
    prescription_only = fields.BooleanField(default=False)
    earns = fields.BooleanField(default=True)
    payable_with_points = fields.BooleanField(default=True)
    barcode = fields.CharField(max_length=32, default="")
    daily_milli = fields.BigIntField(db_default=0)
    medicine = fields.CharField(max_length=200, db_default="")

    class Meta:
        table = "product"
        indexes = (("barcode",), ("category",))
