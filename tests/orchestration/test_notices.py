"""A failed run and a failed check reach a real webhook and a real mailbox, once, and never go missing."""

import email
import email.policy
import warnings
from collections.abc import Iterator
from email.message import EmailMessage
from uuid import uuid4

import pytest
from dagster import (
    AssetCheckEvaluation,
    AssetCheckSeverity,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    build_sensor_context,
)
from tests.hub import DOMAIN, Hub
from tests.notice_servers import Mailbox, heard_by_webhook, mail_server

from work_data_hub.io.sample_drop import write_sample_drop
from work_data_hub.orchestration.definitions import defs
from work_data_hub.orchestration.file_assets import LAYERS, asset_key
from work_data_hub.orchestration.notices import Patience, notice_sensors
from work_data_hub.settings import get_settings

pytestmark = pytest.mark.integration
RUNS, CHECKS = "run_failure_notices", "check_failure_notices"


class Watch:
    """A sensor, ticked by hand on one instance, with the cursor it left."""

    def __init__(self, name: str, instance: DagsterInstance, *, patience: Patience | None = None) -> None:
        known = notice_sensors(patience) if patience else defs.get_repository_def().sensor_defs
        self._sensor, self._instance = next(one for one in known if one.name == name), instance
        self.cursor: str | None = None

    def tick(self) -> str:
        """One look; what it says."""
        context = build_sensor_context(instance=self._instance, cursor=self.cursor)
        result = self._sensor.evaluate_tick(context)
        self.cursor = result.cursor
        return result.skip_message or ""


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    # As `wdh dagster up` keeps it: in files.
    with DagsterInstance.local_temp() as kept_in_files:
        yield kept_in_files


@pytest.fixture
def hook(in_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with heard_by_webhook(monkeypatch) as box:
        yield box


@pytest.fixture
def mail(in_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with mail_server() as box:
        monkeypatch.setenv("WDH_NOTICE_MAIL_SERVER", box.url)
        monkeypatch.setenv("WDH_NOTICE_MAIL_TO", "data@example.com, ops@example.com")
        get_settings.cache_clear()
        yield box


def run(instance: DagsterInstance, *, period: str = "202410") -> None:
    defs.get_job_def(f"{DOMAIN}_job").execute_in_process(
        instance=instance,
        run_config={"ops": {"find": {"config": {"period": period, "execute": True}}}},
        raise_on_error=False,
    )


def test_a_failed_run_is_told_once_with_our_own_sentence(in_hub: Hub, instance: DagsterInstance, hook: Mailbox) -> None:
    in_hub.sample(faults=["missing_column"])
    watch = Watch(RUNS, instance)
    watch.tick()
    run(instance)

    said = [watch.tick(), watch.tick()]

    assert said == ["1 notices sent", "0 notices sent"]
    (body,) = hook.received
    assert body["kind"] == "run_failed"
    assert body["subject"] == f"WorkDataHub: {DOMAIN} 202410 failed"
    assert "HEADINGS_MISSING" in body["what"]
    assert body["facts"]["month"] == "202410"
    assert body["what"] in body["text"]


def test_what_failed_before_the_first_look_is_not_told(in_hub: Hub, instance: DagsterInstance, hook: Mailbox) -> None:
    run(instance)
    watch = Watch(RUNS, instance)

    assert watch.tick() == "begins with what fails from now on"
    watch.tick()

    assert hook.received == []


def test_a_check_that_only_warns_is_told_and_a_passed_one_is_not(
    in_hub: Hub, instance: DagsterInstance, hook: Mailbox
) -> None:
    in_hub.sample()
    watch = Watch(CHECKS, instance)
    watch.tick()
    run(instance)

    watch.tick()

    assert {body["facts"]["check"] for body in hook.received} >= {"companies_known"}
    assert all(body["facts"]["severity"] == "WARN" for body in hook.received)
    assert all(body["facts"]["month"] == "2024-10" for body in hook.received)


def test_a_warning_of_a_month_is_told_again_only_in_other_words(
    in_hub: Hub, instance: DagsterInstance, hook: Mailbox
) -> None:
    watch, told = Watch(CHECKS, instance), []
    watch.tick()

    # The same month twice, the same words of another month, other words, the first words again.
    for month, unknown in [("2024-01", 3), ("2024-01", 3), ("2024-02", 3), ("2024-01", 4), ("2024-01", 3)]:
        judge(instance, month, f"{unknown} rows of no known company")
        watch.tick()
        told.append(len(hook.received))

    assert told == [1, 1, 2, 3, 4]


def test_a_check_that_fails_is_told_each_time(in_hub: Hub, instance: DagsterInstance, hook: Mailbox) -> None:
    watch = Watch(CHECKS, instance)
    watch.tick()

    for _ in range(2):
        judge(instance, "2024-01", "6 of 100 rows rejected", severity=AssetCheckSeverity.ERROR)
    watch.tick()

    assert [body["facts"]["severity"] for body in hook.received] == ["ERROR", "ERROR"]


def judge(
    instance: DagsterInstance, month: str, said: str, *, severity: AssetCheckSeverity = AssetCheckSeverity.WARN
) -> None:
    """An evaluation that did not pass, of a run of its own."""
    evaluation = AssetCheckEvaluation(
        asset_key=asset_key("gold", DOMAIN),
        check_name="companies_known",
        passed=False,
        severity=severity,
        description=said,
        partition=month,
    )
    kind = DagsterEventType.ASSET_CHECK_EVALUATION.value
    instance.report_dagster_event(DagsterEvent(kind, DOMAIN, event_specific_data=evaluation), run_id=str(uuid4()))


def test_a_notice_that_does_not_arrive_is_tried_again(in_hub: Hub, instance: DagsterInstance, hook: Mailbox) -> None:
    watch = Watch(RUNS, instance)
    watch.tick()
    run(instance)
    hook.status = 503

    refused = watch.tick()
    hook.status = 200
    watch.tick()

    assert "NOTICE_NOT_SENT" in refused
    assert "503" in refused
    assert "s3cret" not in refused
    assert len(hook.received) == 1


def test_mail_has_the_text_and_the_facts(instance: DagsterInstance, mail: Mailbox) -> None:
    watch = Watch(RUNS, instance)
    watch.tick()
    run(instance, period="202411")
    assert watch.tick() == "1 notices sent"

    message = email.message_from_bytes(mail.received[0], policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    body = message.get_body()
    assert body
    assert message["To"] == "data@example.com, ops@example.com"
    assert f"{DOMAIN} 202411 failed" in message["Subject"]
    assert "WORKBOOK_NOT_FOUND" in body.get_content()
    assert [part.get_filename() for part in message.iter_attachments()] == ["notice.json"]


def test_without_an_address_it_says_that_nobody_is_told(in_hub: Hub, instance: DagsterInstance) -> None:
    assert "WDH_NOTICE_WEBHOOK" in Watch(RUNS, instance).tick()


def subjects(box: Mailbox) -> list[str]:
    return [body["subject"].removeprefix(f"WorkDataHub: {DOMAIN} ").removesuffix(" failed") for body in box.received]


def test_mail_that_is_down_neither_repeats_nor_holds_up_the_webhook(
    instance: DagsterInstance, hook: Mailbox, mail: Mailbox
) -> None:
    watch = Watch(RUNS, instance)
    watch.tick()
    run(instance, period="202410")
    mail.answers["CONNECT"] = "421 come again"

    first = watch.tick()
    run(instance, period="202411")
    second = watch.tick()
    mail.answers.clear()
    last = [watch.tick(), watch.tick()]

    assert all("1 notices sent; [NOTICE_NOT_SENT]" in said and "MAIL_SERVER" in said for said in (first, second))
    assert last == ["2 notices sent", "0 notices sent"]
    assert subjects(hook) == ["202410", "202411"]
    assert [b"202410 failed" in text for text in mail.received] == [True, False]


def test_a_webhook_that_is_down_does_not_hold_up_mail(instance: DagsterInstance, hook: Mailbox, mail: Mailbox) -> None:
    watch = Watch(RUNS, instance)
    watch.tick()
    run(instance)
    hook.status = 429

    watch.tick()
    watch.tick()
    hook.status = 200
    watch.tick()

    assert len(mail.received) == 1
    assert subjects(hook) == ["202410"]


def two_failures(instance: DagsterInstance) -> Watch:
    """A sensor that has looked, and two months that failed since."""
    watch = Watch(RUNS, instance)
    watch.tick()
    run(instance, period="202410")
    run(instance, period="202411")
    return watch


@pytest.mark.parametrize("status", [302, 400, 404, 413])
def test_a_notice_that_a_webhook_refuses_for_good_is_said_and_passed_over(
    status: int, instance: DagsterInstance, hook: Mailbox, capfd: pytest.CaptureFixture[str]
) -> None:
    watch = two_failures(instance)
    hook.refuses["202410"] = status
    capfd.readouterr()

    said = [watch.tick(), watch.tick()]

    logged = capfd.readouterr().err
    assert subjects(hook) == ["202411"]
    assert said[0].startswith("1 notices sent; 1 refused and passed over")
    assert said[1] == "0 notices sent"
    for text in (said[0], logged):
        assert f"[NOTICE_REFUSED] the webhook does not take 'WorkDataHub: {DOMAIN} 202410 failed'" in text
        assert f"it answered {status}" in text
        assert "s3cret" not in text
    assert "ERROR" in logged


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_a_webhook_in_trouble_gets_all_of_them_later_in_order(
    status: int, instance: DagsterInstance, hook: Mailbox
) -> None:
    watch = two_failures(instance)
    hook.refuses["202410"] = status

    watch.tick()
    assert hook.received == []
    hook.refuses.clear()
    watch.tick()

    assert subjects(hook) == ["202410", "202411"]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"MAIL": "552 too much"}, "1 refused and passed over"),
        ({"RCPT": "550 nobody here"}, "1 refused and passed over"),
        ({".": "554 looks like spam"}, "1 refused and passed over"),
        ({"RCPT TO:<OPS": "550 nobody here"}, "for ops@example.com; the other addresses have it"),
        ({"CONNECT": "554 not today"}, "[NOTICE_NOT_SENT]"),
        ({"MAIL": "451 later"}, "[NOTICE_NOT_SENT]"),
        ({"RCPT": "450 later"}, "[NOTICE_NOT_SENT]"),
        ({".": "452 later"}, "[NOTICE_NOT_SENT]"),
    ],
)
def test_mail_is_tried_again_unless_it_is_refused_for_good(
    answers: dict[str, str], expected: str, instance: DagsterInstance, mail: Mailbox
) -> None:
    watch = Watch(RUNS, instance)
    watch.tick()
    run(instance)
    mail.answers.update(answers)

    said = watch.tick()
    taken = len(mail.received)
    mail.answers.clear()
    watch.tick()

    assert expected in said
    assert len(mail.received) == taken + ("NOT_SENT" in expected)


def test_a_look_ends_in_time_and_the_next_goes_on_where_it_ended(instance: DagsterInstance, hook: Mailbox) -> None:
    # There is time to begin one.
    watch = Watch(RUNS, instance, patience=Patience(look_seconds=60, send_seconds=60))
    watch.tick()
    for period in ("202410", "202411"):
        run(instance, period=period)

    said = [watch.tick(), watch.tick(), watch.tick()]

    assert said == ["1 notices sent; the rest follows at the next look", "1 notices sent", "0 notices sent"]
    assert subjects(hook) == ["202410", "202411"]


def test_a_look_of_the_usual_patience_ends_before_dagster_ends_it() -> None:
    patience = Patience()

    # Two routes that never answer, and one more begun at the last moment.
    assert 2 * patience.send_seconds <= patience.look_seconds < 60 - patience.send_seconds


def test_an_answer_that_never_ends_is_not_waited_for(instance: DagsterInstance, hook: Mailbox) -> None:
    watch = Watch(RUNS, instance, patience=Patience(send_seconds=1))
    watch.tick()
    run(instance)
    hook.may_end.clear()

    assert "no answer within 1 s" in watch.tick()


def test_every_domain_that_failed_in_a_run_is_named_with_its_own_sentence(
    in_hub: Hub, instance: DagsterInstance, hook: Mailbox
) -> None:
    award, other = "annual_award", "sandbox_trustee_performance"
    write_sample_drop(in_hub.data, period="202410", rows=60, only=(award, "annual_loss", DOMAIN))
    for workbook in in_hub.data.rglob("*规模收入*.xlsx"):
        workbook.write_bytes(b"no workbook")
    watch = Watch(RUNS, instance)
    watch.tick()
    defs.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance,
        partition_key="2024-10",
        asset_selection=[asset_key(layer, domain) for domain in (award, DOMAIN, other) for layer in LAYERS],
        raise_on_error=False,
    )

    watch.tick()

    (body,) = hook.received
    first, second = body["what"].splitlines()
    assert body["subject"] == f"WorkDataHub: {DOMAIN} 202410, {other} 202410 failed"
    assert first.startswith(f"{DOMAIN}: [UNREADABLE_WORKBOOK]")
    assert second.startswith(f"{other}: [WORKBOOK_NOT_FOUND]")
    assert all("hint: " in line for line in (first, second))
    assert body["facts"] | {"run": ""} == {
        "domain": f"{DOMAIN}, {other}",
        "month": "202410",
        "mode": "execute",
        "run": "",
    }


def test_a_killed_run_is_told_with_the_domains_it_was_to_load(instance: DagsterInstance, hook: Mailbox) -> None:
    watch = Watch(RUNS, instance)
    watch.tick()
    selected = frozenset(asset_key(layer, domain) for domain in ("annual_award", DOMAIN) for layer in LAYERS)
    killed = instance.create_run_for_job(
        defs.resolve_implicit_global_asset_job_def().get_subset(asset_selection=selected),
        asset_selection=selected,
        tags={"dagster/partition": "2024-10", "wdh/domain": "annual_award", "wdh/month": "202409"},
        status=DagsterRunStatus.STARTED,
    )
    instance.report_run_failed(killed, "its process was killed: run it again")

    watch.tick()

    (body,) = hook.received
    assert set(body["facts"]["domain"].split(", ")) == {"annual_award", DOMAIN}
    assert body["facts"]["month"] == "202410"
    assert body["what"] == "its process was killed: run it again"


def test_our_own_sentence_is_told_where_it_has_a_cause_of_its_own(
    in_hub: Hub, instance: DagsterInstance, hook: Mailbox
) -> None:
    watch = Watch(RUNS, instance)
    watch.tick()
    config = {"period": "202410", "max_rejects": "many"}
    defs.get_job_def(f"{DOMAIN}_job").execute_in_process(
        instance=instance, run_config={"ops": {"find": {"config": config}}}, raise_on_error=False
    )

    watch.tick()

    assert hook.received[0]["what"].startswith("[USAGE_ERROR]")


def test_a_lone_number_as_cursor_holds_for_every_route(instance: DagsterInstance, hook: Mailbox, mail: Mailbox) -> None:
    watch = Watch(RUNS, instance)
    run(instance, period="202410")
    watch.cursor = str(instance.event_log_storage.get_maximum_record_id())
    run(instance, period="202411")

    assert watch.tick() == "2 notices sent"
    assert subjects(hook) == ["202411"]
    assert len(mail.received) == 1


@pytest.mark.parametrize("cursor", ["", "{", "[7]", "null", "true", '"7"', '{"webhook": "7"}', "-1"])
def test_a_cursor_that_cannot_be_read_begins_anew_without_a_flood(
    cursor: str, instance: DagsterInstance, hook: Mailbox
) -> None:
    run(instance, period="202410")
    watch = Watch(RUNS, instance)
    watch.cursor = cursor

    assert watch.tick() == "begins with what fails from now on"
    run(instance, period="202411")
    watch.tick()

    assert subjects(hook) == ["202411"]


def test_a_route_that_is_new_begins_with_what_fails_from_now_on(
    instance: DagsterInstance, hook: Mailbox, mail: Mailbox
) -> None:
    run(instance, period="202410")
    watch = Watch(RUNS, instance)
    watch.cursor = '{"webhook": 0}'

    assert watch.tick() == "1 notices sent"
    assert subjects(hook) == ["202410"]
    assert mail.received == []


@pytest.mark.parametrize("name", [RUNS, CHECKS])
def test_nothing_is_read_in_a_way_that_dagster_will_drop(
    name: str, in_hub: Hub, instance: DagsterInstance, hook: Mailbox
) -> None:
    watch = Watch(name, instance)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watch.tick()
        watch.tick()
