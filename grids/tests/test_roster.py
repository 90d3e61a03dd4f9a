"""People and postings: given, moved, ended, covered, and the history that stays."""

from datetime import date, timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from core.errors import Conflict, Invalid, NotAllowed
from core.models import AuditEntry
from grids.factories import DepartmentFactory, SmallCounty, UserFactory, person, post, small_county
from grids.models import Area, GridWithoutChief, Leave, Posting, Role, User, WorkerKind
from grids.queries import Scope
from grids.queries.roster import chiefless, postings_of
from grids.services.leaves import cover_leave, end_leave
from grids.services.people import (
    PersonFields,
    Post,
    add_person,
    appoint,
    change_person,
    end_posting,
    fingerprint,
    mark_without_chief,
    transfer,
)

TODAY = timezone.localdate
DAY = timedelta(days=1)
# No county has the code 419901: a number that checks and belongs to nobody.
ID = "419901199001010018"


@pytest.fixture
def county(db) -> SmallCounty:
    return small_county()


@pytest.fixture
def admin(county) -> User:
    return person(Role.TOWN_ADMIN, county.towns[0])


@pytest.fixture
def command(county) -> User:
    return person(Role.COMMAND, county.county)


def rules_now() -> None:
    """Let the rules that wait for the end of the transaction speak now."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def worker_at(grid, **more) -> Post:
    return Post(Role.GRID_WORKER, grid, TODAY(), worker_kind=WorkerKind.FULL_TIME, **more)


def chief_of(grid, **posting) -> Posting:
    return person(Role.GRID_CHIEF, grid, **posting).postings.get()


def test_a_new_person_gets_account_posting_and_a_line_in_the_audit(county, admin):
    user = add_person(
        fields=PersonFields("王小明", "１９９0000 1234", ID),
        post=worker_at(county.grids[0]),
        actor=admin,
    )
    user.refresh_from_db()
    assert (user.display_name, user.phone, user.id_number) == ("王小明", "19900001234", ID)
    assert not user.has_usable_password()
    assert Scope.for_user(user).holds(Role.GRID_WORKER, [county.grids[0].pk])
    told = AuditEntry.objects.filter(subject_id=user.pk).order_by("pk")
    assert [entry.action for entry in told] == ["person.add", "posting.open"]
    assert "1990000" not in str([entry.data for entry in told])


def test_phone_and_id_number_are_not_in_the_database_in_clear(county, admin):
    user = add_person(
        fields=PersonFields("王小明", "19900001234", ID),
        post=worker_at(county.grids[0]),
        actor=admin,
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT phone, id_number FROM grids_user WHERE id = %s", [user.pk])
        assert not {"19900001234", ID} & set(cursor.fetchone())


def test_an_id_number_stands_once_among_active_people(county, admin):
    add = lambda name: add_person(  # noqa: E731
        fields=PersonFields(name, "19900001234", ID), post=worker_at(county.grids[0]), actor=admin
    )
    first = add("王小明")
    with pytest.raises(Conflict, match="身份证"):
        add("王大明")
    User.objects.filter(pk=first.pk).update(is_active=False)
    assert add("王大明").pk != first.pk


def test_the_same_person_is_not_put_in_twice(county, admin):
    def add(*known: str) -> User:
        fields, there = PersonFields("王小明", "19900001234", *known), worker_at(county.grids[0])
        return add_person(fields=fields, post=there, actor=admin)

    first = add()
    for known in ((), (ID,)):
        with pytest.raises(Invalid) as refused:
            add(*known)
        assert "phone" in refused.value.errors
    User.objects.filter(pk=first.pk).update(id_index="somebody else's")
    assert add(ID).pk != first.pk


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        (PersonFields("", "19900001234"), "name"),
        (PersonFields("王小明", "123"), "phone"),
        (PersonFields("王小明", "", "41990119900101001X"), "id_number"),
    ],
)
def test_bad_fields_are_named(county, admin, fields, wrong):
    with pytest.raises(Invalid) as caught:
        add_person(fields=fields, post=worker_at(county.grids[0]), actor=admin)
    assert set(caught.value.errors) == {wrong}
    assert User.objects.count() == 1


def test_a_town_keeps_its_own_grids_and_no_other(county, admin):
    worker = person(Role.GRID_WORKER, county.grids[0])
    with pytest.raises(NotAllowed):
        appoint(person_id=worker.pk, post=worker_at(county.grids[-1]), actor=admin)
    with pytest.raises(NotAllowed):
        appoint(
            person_id=worker.pk, post=Post(Role.TOWN_ADMIN, county.towns[0], TODAY()), actor=admin
        )
    elsewhere = person(Role.GRID_WORKER, county.grids[-1])
    with pytest.raises(NotAllowed):
        end_posting(posting_id=elsewhere.postings.get().pk, day=TODAY(), actor=admin)


def test_a_town_does_not_change_somebody_with_a_post_in_the_county(county, admin):
    worker = person(Role.GRID_WORKER, county.grids[0])
    post(worker, Role.COMMAND, county.county)
    with pytest.raises(NotAllowed):
        change_person(
            person_id=worker.pk,
            fields=PersonFields("别名"),
            seen=fingerprint(worker),
            actor=admin,
        )


def test_a_town_gives_no_post_to_somebody_who_is_in_post_elsewhere_only(county, admin):
    theirs = person(Role.GRID_WORKER, county.grids[-1], worker_kind="full_time")
    mine = person(Role.GRID_CHIEF, county.grids[0]).postings.get()
    with pytest.raises(NotAllowed, match="其他地方"):
        appoint(
            person_id=theirs.pk,
            post=Post(Role.GRID_GUIDE, county.grids[0], TODAY()),
            actor=admin,
        )
    with pytest.raises(Invalid) as refused:
        cover_leave(
            posting_id=mine.pk,
            substitute_id=theirs.pk,
            away_from=TODAY(),
            away_until=TODAY() + 3 * DAY,
            actor=admin,
        )
    assert "substitute" in refused.value.errors
    theirs.postings.update(valid_from=TODAY() - 9 * DAY, valid_to=TODAY())
    appoint(person_id=theirs.pk, post=Post(Role.GRID_GUIDE, county.grids[0], TODAY()), actor=admin)


def test_a_grid_closed_since_the_form_was_read_takes_nobody(county, admin):
    worker, grid = person(Role.GRID_WORKER, county.grids[0]), county.grids[1]
    Area.objects.filter(pk=grid.pk).update(closed_on=TODAY())
    with pytest.raises(Invalid) as refused:
        appoint(person_id=worker.pk, post=worker_at(grid), actor=admin)
    assert "place" in refused.value.errors


def test_the_centre_posts_handlers_and_town_admins_but_no_administrator(county, command):
    user = UserFactory()
    department = DepartmentFactory(county=county.county)
    appoint(
        person_id=user.pk, post=Post(Role.DEPARTMENT_HANDLER, department, TODAY()), actor=command
    )
    appoint(person_id=user.pk, post=Post(Role.TOWN_ADMIN, county.towns[1], TODAY()), actor=command)
    for role in (Role.COMMAND, Role.SYSTEM_ADMIN, Role.AUDIT_ADMIN, Role.SECURITY_ADMIN):
        with pytest.raises(NotAllowed):
            appoint(person_id=user.pk, post=Post(role, county.county, TODAY()), actor=command)


def test_nobody_gives_or_ends_a_post_of_their_own(county, command):
    mine = post(command, Role.TOWN_ADMIN, county.towns[0])
    with pytest.raises(Invalid):
        appoint(
            person_id=command.pk,
            post=Post(Role.TOWN_ADMIN, county.towns[1], TODAY()),
            actor=command,
        )
    with pytest.raises(NotAllowed):
        end_posting(posting_id=mine.pk, day=TODAY(), actor=command)


def test_a_person_may_hold_several_posts_but_the_same_one_once(county, admin):
    worker = person(Role.GRID_WORKER, county.grids[0])
    appoint(person_id=worker.pk, post=worker_at(county.grids[1]), actor=admin)
    appoint(person_id=worker.pk, post=Post(Role.MEDIATOR, county.villages[0], TODAY()), actor=admin)
    with pytest.raises(Conflict, match="已担任"):
        appoint(person_id=worker.pk, post=worker_at(county.grids[1]), actor=admin)
    assert worker.postings.count() == 3


def test_the_database_itself_refuses_the_same_post_twice(county):
    worker = person(Role.GRID_WORKER, county.grids[0], valid_from=date(2026, 1, 1))
    with pytest.raises(IntegrityError, match="posting_once"), transaction.atomic():
        post(worker, Role.GRID_WORKER, county.grids[0])
    worker.postings.update(valid_to=TODAY())
    post(worker, Role.GRID_WORKER, county.grids[0])


def test_a_transfer_ends_one_post_and_opens_the_other_in_one_act(county, admin):
    worker = person(Role.GRID_WORKER, county.grids[0], valid_from=date(2026, 1, 1))
    old = worker.postings.get()
    new = transfer(posting_id=old.pk, post=worker_at(county.grids[1]), actor=admin)
    old.refresh_from_db()
    assert (old.valid_to, new.valid_from) == (TODAY(), TODAY())
    with pytest.raises(Conflict, match="已经结束"):
        transfer(posting_id=old.pk, post=worker_at(county.grids[2]), actor=admin)
    assert worker.postings.count() == 2


def test_a_transfer_that_cannot_open_ends_nothing(county, admin):
    worker = person(Role.GRID_WORKER, county.grids[0])
    old = worker.postings.get()
    with pytest.raises(NotAllowed):
        transfer(posting_id=old.pk, post=worker_at(county.grids[-1]), actor=admin)
    old.refresh_from_db()
    assert old.valid_to is None


def test_the_database_itself_deletes_no_posting(county):
    posting = person(Role.GRID_WORKER, county.grids[0]).postings.get()
    with pytest.raises(DatabaseError, match="annot delete"), transaction.atomic():
        posting.delete()


def test_history_stays_when_a_post_ends(county, admin):
    worker = person(Role.GRID_WORKER, county.grids[0], valid_from=date(2026, 1, 1))
    end_posting(posting_id=worker.postings.get().pk, day=TODAY(), actor=admin)
    assert [p.valid_from for p in postings_of([worker], [county.towns[0]])[worker.pk]] == [
        date(2026, 1, 1)
    ]
    assert Scope.for_user(worker).postings == ()


def test_two_who_change_a_person_at_once_get_one_result(county, admin):
    worker = person(Role.GRID_WORKER, county.grids[0])
    seen = fingerprint(worker)
    change_person(person_id=worker.pk, fields=PersonFields("王一"), seen=seen, actor=admin)
    with pytest.raises(Conflict):
        change_person(person_id=worker.pk, fields=PersonFields("王二"), seen=seen, actor=admin)


# A grid keeps a chief.


def test_the_last_chief_leaves_only_with_a_reason_that_marks_the_grid(county, admin):
    posting = chief_of(county.grids[0])
    with pytest.raises(Invalid) as caught:
        end_posting(posting_id=posting.pk, day=TODAY(), actor=admin)
    assert set(caught.value.errors) == {"no_chief_reason"}
    end_posting(posting_id=posting.pk, day=TODAY(), actor=admin, no_chief_reason="待选任")
    rules_now()
    assert GridWithoutChief.objects.get().reason == "待选任"
    assert county.grids[0] in chiefless([county.towns[0]])


def test_a_chief_leaves_freely_when_another_is_there(county, admin):
    posting = chief_of(county.grids[0])
    chief_of(county.grids[0])
    end_posting(posting_id=posting.pk, day=TODAY(), actor=admin)
    rules_now()


def test_a_new_chief_takes_the_mark_away(county, admin):
    posting = chief_of(county.grids[0])
    end_posting(posting_id=posting.pk, day=TODAY(), actor=admin, no_chief_reason="待选任")
    appoint(
        person_id=UserFactory().pk,
        post=Post(Role.GRID_CHIEF, county.grids[0], TODAY()),
        actor=admin,
    )
    rules_now()
    assert GridWithoutChief.objects.get().lifted_on == TODAY()


def refused_at_the_end(change) -> bool:
    """Return whether the database refuses ``change`` when the transaction ends."""
    try:
        with transaction.atomic():
            change()
            rules_now()
    except IntegrityError as error:
        return "without a chief" in str(error)
    return False


@pytest.mark.parametrize("change", ["valid_to", "area", "role"])
def test_the_database_itself_keeps_a_chief_in_a_grid(county, change):
    posting = chief_of(county.grids[0], valid_from=date(2026, 1, 1))
    row = Posting.objects.filter(pk=posting.pk)
    changes = {"valid_to": TODAY(), "area": county.grids[1], "role": Role.GRID_GUIDE}
    assert refused_at_the_end(lambda: row.update(**{change: changes[change]}))


def test_the_database_refuses_an_end_to_come_and_a_chief_for_a_time(county):
    posting = chief_of(county.grids[0])
    soon = TODAY() + 90 * DAY
    assert refused_at_the_end(lambda: Posting.objects.filter(pk=posting.pk).update(valid_to=soon))
    assert refused_at_the_end(lambda: chief_of(county.grids[1], valid_to=soon))


def test_the_rule_looks_at_the_end_of_the_transaction(county):
    posting = chief_of(county.grids[0])
    with transaction.atomic():
        Posting.objects.filter(pk=posting.pk).update(valid_to=TODAY())
        chief_of(county.grids[0])
        rules_now()


def test_a_closed_grid_needs_no_chief_and_old_history_is_free(county):
    posting = chief_of(county.grids[0])
    county.grids[0].closed_on = TODAY()
    county.grids[0].save()
    Posting.objects.filter(pk=posting.pk).update(valid_to=TODAY())
    chief_of(county.grids[1], valid_from=date(2020, 1, 1), valid_to=date(2021, 1, 1))
    Posting.objects.filter(area=county.grids[1]).update(valid_to=date(2022, 1, 1))
    rules_now()


def test_a_mark_is_not_lifted_from_a_bare_grid(county, admin):
    mark_without_chief(grid=county.grids[0], reason="待选任", actor=admin)
    assert refused_at_the_end(lambda: GridWithoutChief.objects.update(lifted_on=TODAY()))


# Leaves.


def leave(posting, substitute, first, last, actor, **more) -> Leave:
    return cover_leave(
        posting_id=posting.pk,
        substitute_id=substitute.pk,
        away_from=TODAY() + first * DAY,
        away_until=TODAY() + last * DAY,
        actor=actor,
        **more,
    )


def test_a_substitute_holds_the_post_for_the_days_of_the_leave(county, admin):
    posting = chief_of(county.grids[0])
    substitute = person(Role.GRID_WORKER, county.grids[1])
    leave(posting, substitute, 0, 10, admin, reason="产假")
    rules_now()
    held = lambda day: Scope.for_user(substitute, on=TODAY() + day * DAY).holds(  # noqa: E731
        Role.GRID_CHIEF, [county.grids[0].pk]
    )
    assert [held(day) for day in (-1, 0, 9, 10)] == [False, True, True, False]
    posting.refresh_from_db()
    assert posting.valid_to is None


def test_a_substitute_who_goes_away_is_covered_in_turn(county, admin):
    posting = chief_of(county.grids[0])
    first, second = UserFactory(), UserFactory()
    cover = leave(posting, first, 0, 20, admin).cover
    inner = leave(cover, second, 5, 10, admin)
    assert (inner.cover.role, inner.cover.area_id) == (Role.GRID_CHIEF, county.grids[0].pk)
    with pytest.raises(Invalid):
        leave(cover, UserFactory(), 15, 25, admin)


def test_who_comes_back_early_sends_the_whole_chain_home(county, admin):
    posting = chief_of(county.grids[0], valid_from=TODAY() - 5 * DAY)
    outer = leave(posting, UserFactory(), 0, 20, admin)
    inner = leave(outer.cover, UserFactory(), 5, 15, admin)
    later = leave(posting, UserFactory(), 30, 40, admin)
    end_leave(leave_id=outer.pk, day=TODAY() + 7 * DAY, actor=admin)
    for row in (outer, inner, later):
        row.refresh_from_db()
        row.cover.refresh_from_db()
    assert outer.away_until == outer.cover.valid_to == TODAY() + 7 * DAY
    assert inner.away_until == inner.cover.valid_to == TODAY() + 7 * DAY
    assert later.away_until == TODAY() + 40 * DAY
    with pytest.raises(Conflict):
        end_leave(leave_id=outer.pk, day=TODAY() + 8 * DAY, actor=admin)


def test_a_post_that_ends_ends_its_leaves(county, admin):
    posting = chief_of(county.grids[0])
    chief_of(county.grids[0])
    outer = leave(posting, UserFactory(), 0, 20, admin)
    end_posting(posting_id=posting.pk, day=TODAY() + 3 * DAY, actor=admin)
    rules_now()
    outer.cover.refresh_from_db()
    assert outer.cover.valid_to == TODAY() + 3 * DAY


def test_a_substitute_is_no_chief_to_be_left_with(county, admin):
    posting = chief_of(county.grids[0])
    leave(posting, UserFactory(), 0, 20, admin)
    with pytest.raises(Invalid) as caught:
        end_posting(posting_id=posting.pk, day=TODAY() + DAY, actor=admin)
    assert set(caught.value.errors) == {"no_chief_reason"}


def test_nobody_is_away_twice_or_stands_in_for_themselves(county, admin):
    posting = chief_of(county.grids[0])
    leave(posting, UserFactory(), 0, 20, admin)
    with pytest.raises(Conflict):
        leave(posting, UserFactory(), 10, 30, admin)
    with pytest.raises(Invalid):
        leave(posting, posting.user, 40, 50, admin)
    other = person(Role.GRID_CHIEF, county.grids[-1]).postings.get()
    with pytest.raises(NotAllowed):
        leave(other, UserFactory(), 0, 5, admin)
