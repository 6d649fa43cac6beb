"""Win-back by hand: staff name a customer, an operator gets a task with her telephone number."""

from messaging.journeys.declaration import DAY, ByHand, Check, Do, Journey, Wait

JOURNEY = Journey(
    name="win_back",
    title={"ru": "Вернуть звонком", "en": "Win-back by hand"},
    about={
        "ru": "Задача оператору позвонить; покупка в течение месяца — цель",
        "en": "A task for an operator to call; a purchase within a month is the goal",
    },
    trigger=ByHand(),
    goal=Check("bought"),
    steps=(
        Do(
            name="call",
            action="open_task",
            settings={
                "kind": "win_back",
                "why": "Давно не приходит: узнать, всё ли хорошо, и пригласить снова",
                "hours": 48,
            },
        ),
        Wait(name="a_month", lasts=30 * DAY),
    ),
)
