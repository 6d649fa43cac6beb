"""The demo's chain: its shops, their tills, and who works there. Every name is invented."""

from dataclasses import dataclass

PASSWORD = "kapsula-demo"  # noqa: S105 - of the demo, which listens on localhost only
"""The same for every login of the demo."""


@dataclass(frozen=True, slots=True)
class ShopPlan:
    """`weight` is the shop's share of the chain's customers."""

    code: str
    name: str
    city: str
    address: str
    timezone: str
    weight: int
    tills: int


@dataclass(frozen=True, slots=True)
class StaffPlan:
    login: str
    name: str
    role: str
    shop_code: str | None = None


MOSCOW, SAMARA = "Europe/Moscow", "Europe/Samara"
URALS, SIBERIA = "Asia/Yekaterinburg", "Asia/Novosibirsk"

SHOPS = (
    ShopPlan("msk-1", "Капсула на Лесной", "Москва", "ул. Лесная, 14", MOSCOW, 14, 3),
    ShopPlan("msk-2", "Капсула у парка", "Москва", "Аптекарский пер., 6", MOSCOW, 12, 2),
    ShopPlan("msk-3", "Капсула Северная", "Москва", "Северный бул., 21", MOSCOW, 10, 2),
    ShopPlan("msk-4", "Капсула на Речной", "Москва", "ул. Речная, 3", MOSCOW, 9, 2),
    ShopPlan(
        "spb-1", "Капсула на Заневском", "Санкт-Петербург", "Заневский пр., 48", MOSCOW, 11, 2
    ),
    ShopPlan("spb-2", "Капсула Приморская", "Санкт-Петербург", "ул. Парусная, 9", MOSCOW, 9, 2),
    ShopPlan("kzn-1", "Капсула у озера", "Казань", "ул. Озёрная, 17", MOSCOW, 8, 2),
    ShopPlan("sam-1", "Капсула на Волжском", "Самара", "Волжский пр., 33", SAMARA, 7, 2),
    ShopPlan("ekb-1", "Капсула Уральская", "Екатеринбург", "ул. Уральская, 52", URALS, 8, 2),
    ShopPlan("ekb-2", "Капсула у вокзала", "Екатеринбург", "ул. Вокзальная, 5", URALS, 5, 1),
    ShopPlan("nsk-1", "Капсула Сибирская", "Новосибирск", "ул. Сибирская, 28", SIBERIA, 7, 2),
    ShopPlan("tver-1", "Капсула в Твери", "Тверь", "наб. Тихая, 11", MOSCOW, 4, 1),
)

STAFF = (
    StaffPlan("owner", "Марина Сергеевна Власова", "owner"),
    StaffPlan("marketer", "Илья Ковалёв", "marketer"),
    StaffPlan("operator", "Дарья Мельникова", "operator"),
    StaffPlan("cashier", "Ольга Петровна Зимина", "cashier", "msk-1"),
    *(
        StaffPlan(f"cashier-{shop.code}", name, "cashier", shop.code)
        for shop, name in zip(
            SHOPS[1:],
            (
                "Светлана Юрьевна Котова",
                "Анна Белова",
                "Роман Гусев",
                "Ирина Павловна Лаврова",
                "Юлия Шестакова",
                "Алия Сафина",
                "Екатерина Дроздова",
                "Наталья Бородина",
                "Павел Ершов",
                "Вера Ивановна Тимофеева",
                "Людмила Сорокина",
            ),
            strict=True,
        )
    ),
)
