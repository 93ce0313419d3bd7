"""The catalogs hold every text of the code and nothing else, and everybody reads the language that they should."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from labeler import languages
from labeler.accounts import Accounts
from labeler.errors import UsageError
from labeler.label_schema import OUTPUT_FLAGS, Flag, in_words, schema_from
from labeler.languages import LANGUAGES, SOURCE, accepted, choose, figure, t, tn, use
from labeler.languages.update import ROOT, texts_in, written
from labeler.routes import Guard, Services, asset_routes, board_routes, door_routes, rest_routes
from labeler.routes.assets import ASSETS, assets_in
from labeler.store import Store

TRANSLATED = [code for code in LANGUAGES if code != SOURCE]
PLACE = re.compile(r"\{(\w+)[^}]*\}")


@pytest.fixture(scope="module")
def code() -> Catalog:
    """Every text in the code, as Babel finds it."""
    return texts_in()


@pytest.fixture(autouse=True)
def english_again():
    yield
    use(SOURCE)


@pytest.fixture
def store(tmp_path: Path):
    opened = Store.create(f"sqlite:///{tmp_path / 'labeler.db'}")
    yield opened
    opened.close()


def served(store: Store) -> Starlette:
    services = Services(store, Accounts(store), Path("runs"))
    routes = [*asset_routes(), *door_routes(services), *board_routes(services), *rest_routes(services)]
    return Starlette(routes=routes, middleware=[Middleware(Guard, services=services)])


def forms(text: str | tuple[str, ...]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def entries(catalog: Catalog) -> dict[str, Message]:
    return {forms(message.id)[0]: message for message in catalog if message.id}


# The catalogs


def test_the_code_has_texts_of_all_kinds(code: Catalog):
    suffixes = {Path(name).suffix for message in code for name, _ in message.locations}
    assert suffixes == {".py", ".js", ".html"}
    assert len(entries(code)) > 450


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalog_has_every_text_of_the_code_and_no_other(code: Catalog, language: str):
    wanted, found = entries(code), entries(languages.read(language))
    missing, left_over = sorted({*wanted} - {*found}), sorted({*found} - {*wanted})
    hint = "run: python -m labeler.languages.update, then translate what is new"
    assert (missing, left_over) == ([], []), hint
    places = {text: {name for name, _ in message.locations} for text, message in wanted.items()}
    assert {text: {name for name, _ in message.locations} for text, message in found.items()} == places, hint


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated_with_the_same_places_in_it(language: str):
    catalog = languages.read(language)
    for name, message in entries(catalog).items():
        source, translation = forms(message.id), forms(message.string)
        assert all(translation), name
        assert not message.fuzzy, name
        assert len(translation) == (catalog.num_plurals if len(source) > 1 else 1), name
        for text in translation[1:] if len(source) > 1 else translation:  # "one" may do without the number
            assert {*PLACE.findall(text)} == {*PLACE.findall(source[-1])}, name
        assert {*PLACE.findall(translation[0])} <= {*PLACE.findall(source[-1])}, name
        for text in translation:
            assert (text[0].isspace(), text[-1].isspace()) == (source[0][0].isspace(), source[0][-1].isspace()), name


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalog_says_whose_it_is_and_keeps_its_form(language: str):
    catalog = languages.read(language)
    assert str(catalog.locale) == language
    assert "Glossary" in catalog.header_comment
    assert written(catalog).decode() == (languages.FOLDER / f"{language}.po").read_text(encoding="utf-8")


def test_no_file_of_a_language_is_left_over():
    assert {path.stem for path in languages.FOLDER.glob("*.po")} == {*TRANSLATED}


def called_with(path: Path, names: tuple[str, ...]) -> set[str]:
    """The first argument of calls of these names, as Python itself reads the file."""
    calls = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    return {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id in names and isinstance(call.args[0], ast.Constant)
    }


def test_babel_finds_every_text_that_is_marked(code: Catalog):
    """Texts inside of f-strings and template strings would be missed by Babel."""
    found = {*entries(code)}
    for path in ROOT.rglob("*.py"):
        assert called_with(path, ("t", "tn", "mark")) - found == set(), path
    for path in ROOT.rglob("*.js"):
        marked = re.findall(r'\b(?:t|tn)\(("(?:[^"\\]|\\.)*")', path.read_text(encoding="utf-8"))
        assert {json.loads(text) for text in marked} - found == set(), path


def test_an_extraction_misses_what_is_not_marked(tmp_path: Path):
    (tmp_path / "page.py").write_text(
        't("Hello, {name}", name=n)\ntn("one", "many", n)\nX = mark("later")\nst.text("no")\n'
    )
    assert sorted(entries(texts_in(tmp_path))) == ["Hello, {name}", "later", "one"]


# What a text says


def test_a_text_in_three_languages():
    said = {}
    for language in LANGUAGES:
        use(language)
        said[language] = t("Welcome, {name}", name="Mia")
    assert said == {"en": "Welcome, Mia", "de": "Willkommen, Mia", "es": "Hola, Mia"}


def test_numbers_choose_the_form_and_are_written_as_usual():
    use("de")
    words = "{count} word: {beginning}", "{count} words: {beginning}"
    assert [tn(*words, count, beginning="x") for count in (0, 1, 2, 12345)] == [
        "0 Wörter: x",
        "1 Wort: x",
        "2 Wörter: x",
        "12.345 Wörter: x",
    ]
    assert figure(1234.5, ",.1f") == "1.234,5"
    use("en")
    assert tn(*words, 12345, beginning="x") == "12,345 words: x"


def test_values_are_never_read_as_texts():
    assert t("Welcome, {name}", name="{password}") == "Welcome, {password}"


def test_the_empty_text_stays_empty():
    use("de")  # in a catalog the empty text is the header
    assert t("") == ""


def test_an_unknown_text_stays_as_it_is():
    use("de")
    assert t("a manager's own words {here}") == "a manager's own words {here}"


def test_usual_flags_are_translated_and_own_ones_are_not():
    use("de")
    assert in_words(OUTPUT_FLAGS[2]).text == "erfunden"
    own = Flag("sensitive", "sensitive", "Written by a manager", "e")
    assert in_words(own) == own
    (named,) = schema_from({"task": "rate", "flags": ["hallucination"]}).flags
    assert in_words(named).about == "Halluzination: behauptet etwas Erfundenes"


# Whose language


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("de", ["de"]),
        ("de-CH, de;q=0.9, en;q=0.8", ["de", "de", "en"]),
        ("en;q=0.5, es-419;q=0.9, de;q=0.7", ["es", "de", "en"]),
        ("fr;q=1, *;q=0.1", ["fr", "*"]),
        ("es;q=0, de;q=0.1", ["de"]),
        ("es;q=high, de", ["de"]),
        ("", [""]),
    ],
)
def test_what_a_browser_accepts(header: str, found: list[str]):
    assert accepted(header) == found


@pytest.mark.parametrize(
    ("own", "header", "chosen"),
    [
        ("es", "de", "es"),
        (None, "de", "de"),
        (None, "fr, es;q=0.3", "es"),
        (None, "fr", "en"),
        (None, "", "en"),
        ("xx", "de", "de"),
    ],
)
def test_a_persons_own_choice_comes_first_then_the_browsers(own: str | None, header: str, chosen: str):
    assert choose(own, header) == chosen


def test_a_choice_is_kept_with_the_account(store: Store):
    accounts = Accounts(store)
    accounts.add("mia", "labeler", (), "correct horse")
    mia = store.user("mia")
    assert mia.language is None
    accounts.set_language(mia.id, "de")
    assert store.user("mia").language == "de"
    token = accounts.sign_in("mia", "correct horse")
    user = accounts.user_for(token)
    assert user is not None
    assert user.language == "de"
    accounts.set_language(mia.id, None)
    assert store.user("mia").language is None
    with pytest.raises(UsageError, match="the language is 'xx'; it must be one of en, de, es"):
        accounts.set_language(mia.id, "xx")


# What the server sends


def test_the_doors_speak_the_browsers_language(store: Store):
    with TestClient(served(store)) as client:
        page = client.get("/login", headers={"accept-language": "de-AT,de;q=0.9,en;q=0.5"}).text
        assert '<html lang="de">' in page
        assert "<h1>Anmelden</h1>" in page
        refused = client.post("/login", data={"name": "x", "password": "y"}, headers={"accept-language": "es"})
        assert "El nombre o la contraseña no son correctos." in refused.text
        assert '<html lang="en">' in client.get("/login", headers={"accept-language": "fr"}).text


def test_the_board_gets_words_in_the_persons_language_and_programs_english_ones(store: Store):
    accounts = Accounts(store)
    store.add_project("essays", schema=schema_from({"task": "rate"}))
    accounts.add("mia", "labeler", (), "correct horse")
    accounts.set_language(store.user("mia").id, "es")
    german = {"accept-language": "de"}
    with TestClient(served(store), headers=german) as client:
        client.cookies.set("labeler_session", accounts.sign_in("mia", "correct horse"))
        (project,) = client.get("/api/projects").json()["projects"]
        assert project["schema"]["flags"][2]["text"] == "inventado"
        answer = client.get("/api/v1/nothing", headers={"authorization": "Bearer nonsense"})
        assert "This token is unknown, revoked or over." in answer.text


def test_each_language_has_an_address_of_its_own(store: Store):
    with TestClient(served(store)) as client:
        assert 'language = "en"' in client.get(f"{ASSETS}/catalog.js").text
        for language in TRANSLATED:
            answer = client.get(f"{assets_in(language)}/catalog.js")
            assert answer.headers["content-type"].startswith("text/javascript")
            assert "immutable" in answer.headers["cache-control"]
            assert f'language = "{language}"' in answer.text
            assert client.get(f"{assets_in(language)}/board.js").text == client.get(f"{ASSETS}/board.js").text
        assert client.get(f"{ASSETS}/fr/catalog.js").status_code == 404


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_browser_gets_the_texts_of_the_javascript_alone(language: str):
    module = languages.for_browser(language)
    texts = json.loads(re.search(r"messages = (.*);", module)[1])  # type: ignore[index]
    assert texts["Submit"] == entries(languages.read(language))["Submit"].string
    assert len(texts["{count} earlier turn"]) == 2
    assert "Project settings" not in texts
    assert "" not in texts
    if node := shutil.which("node"):
        program = module.replace("export ", "") + "console.log([0, 1, 2, 5].map(plural).join());"
        said = subprocess.run([node, "-e", program], capture_output=True, text=True, check=True)
        assert said.stdout.strip() == "1,0,1,1"
