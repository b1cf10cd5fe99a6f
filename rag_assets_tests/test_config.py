from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from rag_assets.config import (
    SOURCES_MAX,
    FilesSource,
    ModelSettings,
    ProviderSettings,
    Settings,
    check_source_name,
)
from rag_assets.config_file import find_config_file, load_settings, parse_settings, varied_settings
from rag_assets.errors import ConfigurationError, UnknownSourceError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rag_assets.yaml"


def problem(file: Path, text: str, environment: dict[str, str] | None = None) -> ConfigurationError:
    """The error that a configuration file with this text gives."""
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(file, environment or {})
    return caught.value


def test_without_a_file_the_defaults_hold_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    settings = load_settings(environment={})
    assert settings.rooted(Path()) == Settings()
    assert settings.root == tmp_path.resolve()
    assert (settings.models.embedding.provider, settings.models.chat.provider) == ("embedded", "embedded")
    assert settings.ledger_url == f"sqlite:///{tmp_path.resolve()}/.rag_assets/ledger.sqlite"


def test_paths_start_at_the_file_wherever_it_is_read_from(file: Path, monkeypatch: pytest.MonkeyPatch):
    file.write_text("data_dir: data\nsources:\n  handbook:\n    path: docs\n")
    below = file.parent / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    settings = load_settings(environment={})
    assert settings.data_path == file.parent.resolve() / "data"
    assert settings.store_uri == str(file.parent.resolve() / "data" / "lancedb")
    assert settings.resolve(settings.source("handbook").path) == file.parent.resolve() / "docs"


def test_the_environment_names_the_file(file: Path):
    file.write_text("version: 1\n")
    assert find_config_file(None, {"RAG_ASSETS_CONFIG": str(file)}) == file.resolve()
    with pytest.raises(ConfigurationError, match="does not exist") as caught:
        find_config_file(None, {"RAG_ASSETS_CONFIG": str(file.with_name("no.yaml"))})
    assert caught.value.fix == "Create it, or unset RAG_ASSETS_CONFIG to use the nearest one."


def test_a_file_that_the_caller_names_has_nothing_to_do_with_the_environment(file: Path):
    with pytest.raises(ConfigurationError, match="does not exist") as caught:
        find_config_file(file, {})
    assert caught.value.fix == "Create it, or name another one."
    with pytest.raises(ConfigurationError, match="is a folder") as caught:
        find_config_file(file.parent, {})
    assert str(file) in caught.value.fix


def test_the_environment_goes_before_the_file(file: Path):
    file.write_text("chunking:\n  max_tokens: 100\n")
    settings = load_settings(
        file,
        {
            "RAG_ASSETS__CHUNKING__MAX_TOKENS": "200",
            "RAG_ASSETS__CHUNKING__HEADING_PREFIX": "false",
            "RAG_ASSETS__MODELS__CHAT__PROVIDER": "openai",
            "RAG_ASSETS__MODELS__CHAT__MODEL": "gpt-4o-mini",
            "RAG_ASSETS_CONFIG": "not an override",
        },
    )
    assert (settings.chunking.max_tokens, settings.chunking.heading_prefix) == (200, False)
    assert settings.models.chat.model == "gpt-4o-mini"


def test_a_prefix_that_looks_like_a_mapping_is_text(file: Path):
    file.touch()
    prefix = {"RAG_ASSETS__MODELS__EMBEDDING__DOCUMENT_PREFIX": "passage: "}
    assert load_settings(file, prefix).models.embedding.document_prefix == "passage: "
    price = {"RAG_ASSETS__MODELS__PRICES": "{mine: {input_usd: 0.1, output_usd: 0.4}}"}
    assert load_settings(file, price).models.prices["mine"].input_usd == 0.1


def test_settings_are_read_anew_each_time(file: Path):
    file.write_text("retrieval:\n  k: 3\n")
    assert load_settings(file, {}).retrieval.k == 3
    file.write_text("retrieval:\n  k: 4\n")
    assert load_settings(file, {}).retrieval.k == 4


def test_an_empty_section_means_its_defaults(file: Path):
    file.write_text("sources:\n  # handbook:\n  #   path: docs\nretrieval:\n")
    assert load_settings(file, {}).retrieval == Settings().retrieval


@pytest.mark.parametrize(
    ("text", "said", "fix"),
    [
        ("chunking:\n  max_token: 100\n", "'chunking.max_token' is not known", "'max_tokens'"),
        ("sourcs: {}\n", "'sourcs' is not known", "'sources'"),
        ("sources:\n  handbook:\n    path: a\n    exlude: []\n", "'sources.handbook.exlude'", "'exclude'"),
        ("models:\n  providers:\n    mine:\n      api_key: sk-1\n", "'models.providers.mine.api_key'", "'api_key_env'"),
        ("models:\n  embedding:\n    size: 3\n", "'models.embedding.size'", "Known keys here: provider, model"),
        ("chunking:\n  max_tokens: many\n", "'chunking.max_tokens' is wrong", "Mend the value"),
        ("retrieval:\n  vector_weight: 1.5\n", "'retrieval.vector_weight' is wrong", "Mend"),
        ("sources:\n  Hand Book:\n    path: a\n", "'Hand Book' is not a source name", "Mend"),
        ("chunking:\n  max_tokens: 20\n  overlap_tokens: 15\n", "at most half", "Mend"),
        ("retrieval:\n  min_score: 1.5\n", "min_score is above 1, and no passage scores more with mode hybrid", "Mend"),
        ("retrieval:\n  reranker: cohere\n", "'retrieval.reranker' is wrong", "Mend"),
        ("models:\n  chat:\n    provider: nobody\n", "'nobody' is not declared; known providers: embedded", "Mend"),
        ("version: 2\n", "'version' is wrong", "Mend"),
        ("sources: {a: d}\n", "'sources.a' is wrong: it must hold keys and values (found 'd')", "Mend"),
        ("sources: [a]\n", "'sources' is wrong: it must hold keys and values", "Mend"),
        ("sources: {a: {path: x, include: y}}\n", "'sources.a.include' is wrong: it must be a list", "Mend"),
        ("sources: {a: {}}\n", "'sources.a.path' is wrong: it must be given", "Mend"),
        ("sources: {1: {path: x}}\n", "the key 1 below 'sources' is not text", "Put it in quotes"),
        ("models: {chat: {2026-01-01: x}}\n", "the key 2026-01-01 below 'models.chat' is not text", "Put it in quotes"),
        ("true: x\n", "the key True is not text", "Put it in quotes"),
        ("sources: {a: {path: x, language: english}}\n", "'sources.a.language' is wrong: a language is an ISO", "Mend"),
        ("retrieval: {language: EN}\n", "two lower-case letters, such as 'en' (found 'EN')", "Mend"),
        ("models: {providers: {a: {base_url: localhost:8000}}}\n", "starts with http:// or https://", "Mend"),
        ("models: {providers: {a: {base_url: 'https:///v1'}}}\n", "names a server", "Mend"),
    ],
)
def test_a_bad_value_is_named_with_file_key_and_fix(file: Path, text: str, said: str, fix: str):
    error = problem(file, text)
    assert str(file) in error.problem
    assert said in error.problem
    assert fix in error.fix
    assert "sk-1" not in str(error)


@pytest.mark.parametrize(
    ("text", "said", "fix"),
    [
        (
            "chat: {provider: openai}",
            "'extractive-reader', and the provider 'openai' does not have it",
            "chat.model to",
        ),
        ("chat: {provider: lan}", "'extractive-reader', and the provider 'lan' does not have it", "chat.model to"),
        ("chat: {model: gpt-5}", "'gpt-5', and the provider 'embedded' has 'extractive-reader' and", "chat.provider"),
        ("chat: {provider: near, model: gpt-5}", "has 'extractive-reader' and models tuned from it", "chat.provider"),
        ("chat: {model: 'ft:extractive-reader:acme:x:abcd1234'}", "has 'extractive-reader' and", "chat.provider"),
        ("embedding: {provider: openai}", "'all-MiniLM-L6-v2', and the provider 'openai' does", "embedding.model to"),
        ("embedding: {model: text-embedding-3-small}", "has 'all-MiniLM-L6-v2' alone", "embedding.provider"),
    ],
)
def test_a_model_that_its_provider_does_not_have_is_refused(file: Path, text: str, said: str, fix: str):
    providers = "providers: {lan: {base_url: 'http://127.0.0.1:8000/v1'}, near: {kind: embedded}}"
    error = problem(file, f"models:\n  {providers}\n  {text}\n")
    assert said in error.problem
    assert fix in error.fix


def test_a_model_that_its_provider_may_have_is_taken(file: Path):
    text = "models:\n  providers: {lan: {base_url: 'http://127.0.0.1:8000/v1'}}\n  embedding: {provider: lan}\n"
    assert parse_settings(text, file).models.embedding.model == "all-MiniLM-L6-v2"
    assert parse_settings("models: {chat: {provider: openai, model: gpt-5}}", file).models.chat.model == "gpt-5"


@pytest.mark.parametrize("suffix", ["", "team-style_2"])
def test_the_embedded_provider_may_have_a_model_that_it_tuned(file: Path, suffix: str):
    model = f"ft:extractive-reader:rag-assets:{suffix}:4fK09xZq"
    assert parse_settings(f"models: {{chat: {{model: '{model}'}}}}", file).models.chat.model == model


def test_the_embedded_providers_keep_their_state_in_the_data_folder(file: Path):
    text = "data_dir: data\nmodels: {providers: {near: {kind: embedded}}}\n"
    state_dir = file.parent / "data" / "embedded"
    file.write_text(text)
    read = parse_settings(text, file)
    for settings in (read, load_settings(file, {}), varied_settings(read, {"retrieval.k": "3"})):
        providers = settings.models.model_copy(update={"prices": {}}).all_providers()
        assert (providers["near"].state_dir, providers["embedded"].state_dir) == (state_dir, state_dir)
        assert providers["openai"].state_dir is None
    assert Settings(root=file.parent).models.state_dir == file.parent / ".rag_assets" / "embedded"
    assert ModelSettings().all_providers()["embedded"].state_dir is None


def test_where_state_is_kept_is_no_setting_and_in_no_fingerprint(file: Path):
    here, there = (parse_settings("version: 1", file.parent / name / file.name) for name in ("here", "there"))
    assert here.models.state_dir != there.models.state_dir
    assert here.model_dump(exclude={"root"}) == there.model_dump(exclude={"root"})
    assert "state_dir" not in str(here.model_dump())
    for section in ("models", "models: {providers: {near", "models: {chat"):
        assert "is not known" in problem(file, f"{section}: {{state_dir: x{'}' * section.count('{')}}}").problem


def test_an_unknown_key_is_reported_before_what_it_causes(file: Path):
    error = problem(file, "version: 1\nretrieval:\n  k: -1\nsources:\n  handbook:\n    paht: docs\n")
    assert "'sources.handbook.paht' is not known" in error.problem
    assert "2 more problem(s) follow" in error.problem
    assert "'path'" in error.fix


def test_a_bad_override_names_its_variable(file: Path):
    error = problem(file, "version: 1\n", {"RAG_ASSETS__RETRIEVAL__K": "none at all"})
    assert "the environment variable RAG_ASSETS__RETRIEVAL__K" in error.problem
    error = problem(file, "data_dir: x\n", {"RAG_ASSETS__DATA_DIR__DEEPER": "1"})
    assert "goes below 'data_dir'" in error.problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1\nb: 2\n", "line 2 is not valid YAML"),
        ("a: 1\na: 2\n", "not valid YAML"),
        ("just words\n", "must hold keys and values"),
        ("- a\n", "must hold keys and values"),
    ],
)
def test_what_is_no_yaml_mapping_is_named(file: Path, text: str, said: str):
    error = problem(file, text)
    assert said in error.problem
    assert "\n" not in error.problem


def test_a_file_that_is_not_utf8_is_named(file: Path):
    file.write_bytes("data_dir: naïve\n".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_settings(file, {})


def test_yaml_never_builds_objects(file: Path):
    problem(file, "data_dir: !!python/object/apply:os.system ['touch pwned']\n")
    assert not Path("pwned").exists()


def test_text_is_judged_without_overrides(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAG_ASSETS__RETRIEVAL__K", "9")
    assert parse_settings("retrieval:\n  k: 3\n", file).retrieval.k == 3
    assert not file.exists()


def test_an_unknown_source_names_the_known_ones(file: Path):
    settings = parse_settings("sources:\n  b: {path: x}\n  a: {path: y}\n", file)
    with pytest.raises(UnknownSourceError, match="configured sources: a, b"):
        settings.source("c")


def test_sources_are_capped(file: Path):
    many = "".join(f"  s{number}: {{path: x}}\n" for number in range(SOURCES_MAX + 1))
    with pytest.raises(ConfigurationError, match="at most 5,000"):
        parse_settings("sources:\n" + many, file)


@pytest.mark.parametrize("name", ["a", "handbook-2", "9_lives", "x" * 64])
def test_names_of_sources(name: str):
    assert check_source_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "A", "a b", "a/b", "a.b", "a...b", "x" * 65, "a\n", "é", "..", "a|b"])
def test_names_that_are_refused(name: str):
    with pytest.raises(ValueError, match="not a source name"):
        check_source_name(name)


def test_a_ledger_on_a_server_is_named_by_a_variable(file: Path, monkeypatch: pytest.MonkeyPatch):
    settings = parse_settings("ledger:\n  url_env: MY_LEDGER\n", file)
    monkeypatch.delenv("MY_LEDGER", raising=False)
    with pytest.raises(ConfigurationError, match="MY_LEDGER"):
        _ = settings.ledger_url
    monkeypatch.setenv("MY_LEDGER", "postgresql://localhost/ledger")
    assert settings.ledger_url == "postgresql://localhost/ledger"


def test_an_object_store_is_kept_as_a_url(file: Path):
    assert parse_settings("store:\n  uri: s3://bucket/tables\n", file).store_uri == "s3://bucket/tables"
    assert parse_settings("store:\n  uri: tables\n", file).store_uri == str(file.parent / "tables")


SECRET = "S3CRET"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("models:\n  providers:\n    mine:\n      api_key_env: sk-S3CRET\n", "models.providers.mine.api_key_env"),
        ("ledger:\n  url_env: postgresql://u:S3CRET@h/db\n", "ledger.url_env"),
        ("ledger: postgresql://u:S3CRET@h/db\n", "ledger"),
        ("models:\n  providers:\n    mine: sk-S3CRET\n", "models.providers.mine"),
        ("store: s3://u:S3CRET@h/db\n", "store"),
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(file: Path, text: str, key: str):
    error = problem(file, text)
    assert f"the key '{key}' is wrong" in error.problem
    assert SECRET not in str(error)
    if key.endswith("_env"):
        assert "put the name of the variable here, not the key" in error.problem


def test_a_secret_given_to_the_classes_themselves_is_not_repeated():
    with pytest.raises(ValidationError) as caught:
        ProviderSettings(api_key_env="sk-S3CRET")
    assert SECRET not in str(caught.value)


def test_a_secret_in_an_override_is_not_repeated(file: Path):
    error = problem(file, "version: 1\n", {"RAG_ASSETS__LEDGER__URL_ENV": "postgresql://u:S3CRET@h/db"})
    assert "the environment variable RAG_ASSETS__LEDGER__URL_ENV" in error.problem
    assert SECRET not in str(error)


@pytest.mark.parametrize(
    "path",
    [
        "sftp://bob:S3CRET@host/docs",
        "sftp://:S3CRET@host:22/docs",
        "ftp://bob:x/S3CRET@host/docs",
        "http://bob:S3CRET::S3CRET@host/docs",
        "zip://inner::sftp://bob:S3CRET@host/a.zip",
    ],
)
def test_a_path_with_a_password_is_refused_and_not_repeated(file: Path, path: str):
    error = problem(file, f"sources:\n  wiki:\n    path: '{path}'\n")
    assert "'sources.wiki.path' is wrong: the URL holds a password" in error.problem
    assert "SSH configuration" in error.problem
    assert SECRET not in str(error)


@pytest.mark.parametrize(
    "path",
    [
        "sftp://bob@host/docs",
        "sftp://bob@host:22/docs",
        "http://host:80/docs@v1",
        "http://[::1]:80/docs@v1",
        "s3://bucket/a:b@c",
        "zip://inner.md::/archives/a@b.zip",
        "simplecache::s3://bucket/docs",
        "folder/a:b@c",
    ],
)
def test_a_path_without_a_password_is_taken(path: str):
    assert FilesSource(path=path).path == path
