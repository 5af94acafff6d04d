"""A test message goes the real way, once, and leaves its receipt."""

from tests.underkeel.notify.scene import DELIVERED, DOWN, Fake, Scene
from underkeel.notify.trial import TITLE, try_channel
from underkeel.notify.types import Message, Outcome


def test_try_channel__delivered__row_and_receipt_say_so(scene: Scene) -> None:
    chat = Fake()
    trial = try_channel(scene.store, chat)
    assert trial.outcome == DELIVERED
    (row,) = scene.rows()
    assert (row.id, row.status, row.state, row.title) == (trial.id, "delivered", "test", TITLE)
    assert [r.outcome for r in scene.receipts()] == ["delivered"]


def test_try_channel__fails__is_not_tried_again(scene: Scene) -> None:
    trial = try_channel(scene.store, Fake(answer=lambda message: DOWN))
    assert trial.outcome == DOWN
    assert scene.statuses() == ["failed"]


def test_try_channel__while_the_service_runs__sends_it_once(scene: Scene) -> None:
    service = scene.lane(Fake())

    def answer(message: Message) -> Outcome:
        scene.run(service, 10)
        return DELIVERED

    chat = Fake(answer=answer)
    try_channel(scene.store, chat, scene.clock.times())
    assert len(chat.got) == 1
    assert service.totals == {}
    assert scene.statuses() == ["delivered"]
