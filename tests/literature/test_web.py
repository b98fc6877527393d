import http.server
import threading
import time
from pathlib import Path

import pytest
from tests.literature.conftest import World, atom

from identikit.literature import web
from identikit.literature.sources import Services, public_services
from identikit.literature.web import Service, SourceError


def test_an_answer_is_kept_and_not_asked_for_again(world: World, services: Services) -> None:
    first = services.arxiv.get("/query", id_list="2401.00001")
    assert services.arxiv.get("/query", id_list="2401.00001") == first == atom()
    assert len(world.asked) == 1
    services.arxiv.get("/query", id_list="2401.00002")
    assert len(world.asked) == 2


def test_an_old_answer_is_asked_for_again(
    world: World, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.arxiv.get("/query", id_list="1")
    monkeypatch.setattr(web, "FRESH_S", -1.0)
    services.arxiv.get("/query", id_list="1")
    assert len(world.asked) == 2


def test_an_answer_that_cannot_be_kept_is_an_answer(world: World, services: Services) -> None:
    services.arxiv.cache.write_text("a file where the folder should be")
    assert services.arxiv.get("/query", id_list="1") == atom()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_pass_is_tried_again(world: World, services: Services, status: int) -> None:
    world.failures["arxiv"] = [(status, {"Retry-After": "0"}), (status, {})]
    assert services.arxiv.get("/query", id_list="1") == atom()
    assert len(world.asked) == 3


def test_a_failure_that_lasts_is_told_and_not_kept(world: World, services: Services) -> None:
    world.failures["arxiv"] = [(503, {})] * 3
    with pytest.raises(SourceError, match="arXiv answered 503 Service Unavailable"):
        services.arxiv.get("/query", id_list="1")
    assert services.arxiv.get("/query", id_list="1") == atom()


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (404, {}, "does not know this paper"),
        (403, {}, "answered 403"),
        (429, {"Retry-After": "3600"}, "left alone for 3600 s"),
        (429, {"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}, None),
    ],
)
def test_what_will_not_pass_is_asked_once(
    world: World, services: Services, status: int, headers: dict[str, str], words: str | None
) -> None:
    world.failures["arxiv"] = [(status, headers)]
    if words is None:  # a date is not waited for, and the next try answers
        services.arxiv.get("/query", id_list="1")
        return
    with pytest.raises(SourceError, match=words):
        services.arxiv.get("/query", id_list="1")
    assert len(world.asked) == 1


def test_an_answer_that_is_cut_is_not_taken_for_whole(world: World, services: Services) -> None:
    world.cuts = 2
    assert services.arxiv.get("/query", id_list="1") == atom()
    world.cuts = 3
    with pytest.raises(SourceError, match="did not answer whole"):
        services.arxiv.get("/query", id_list="2")


def test_without_a_network_the_message_says_so_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    service = Service("arXiv", "http://127.0.0.1:9", 3.0, cache=tmp_path)
    with pytest.raises(SourceError, match=r"arXiv cannot be reached: .*refused"):
        service.get("/query", id_list="1")
    assert len(slept) == 1


def test_requests_keep_their_distance(
    world: World, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    services.arxiv.interval_s = 3600.0
    for k in range(2):
        services.arxiv.get("/query", id_list=str(k))
    assert slept[0] <= 0
    assert 3500 < slept[1] <= 3600
    services.arxiv.get("/query", id_list="1")  # kept, so nobody waits
    assert len(slept) == 2


def test_a_server_that_never_ends_is_left(
    world: World, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "LIMIT_S", -1.0)
    with pytest.raises(SourceError, match="no whole answer in"):
        services.arxiv.get("/query", id_list="1")


def test_a_silent_server_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "STALL_S", 0.05)
    monkeypatch.setattr(web, "PAUSES_S", (0.0, 0.0))
    done = threading.Event()

    class Silent(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            done.wait(5)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        service = Service("arXiv", f"http://127.0.0.1:{server.server_port}", 0.0, cache=tmp_path)
        with pytest.raises(SourceError, match="timed out"):
            service.get("/query")
        done.set()
        server.shutdown()
        thread.join()


def test_keys_go_to_their_services_and_name_no_kept_answer(
    world: World, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEMANTIC_SCHOLAR_API_KEY", "secret")
    monkeypatch.setenv("OPENALEX_API_KEY", "a&b")
    public = public_services()
    assert public.scholar.headers == {"x-api-key": "secret"}
    assert public.alex.secret == "&api_key=a%26b"
    assert all(service.base.startswith("https://") for service in public)
    services.alex.get("/works/doi:1")
    services.alex.headers, services.alex.secret = {"x-api-key": "secret"}, "&api_key=k"
    services.alex.get("/works/doi:1")  # kept without the key
    services.alex.get("/works/doi:2")
    assert [address.endswith("?&api_key=k") for address in world.asked] == [False, True]
    assert {k.lower(): v for k, v in world.headers[-1].items()}["x-api-key"] == "secret"
    monkeypatch.delenv("SEMANTIC_SCHOLAR_API_KEY")
    monkeypatch.delenv("OPENALEX_API_KEY")
    assert (public_services().scholar.headers, public_services().alex.secret) == ({}, "")
