"""Declares the table of rejects, and what each reason to reject a value or quarantine a file means."""

from domotic_assets.schemas.table import UTC_DATE, Cadence, Place, Subject, Table, moment, text

REJECT_REASONS: dict[str, str] = {
    "not_a_number": "text or a flag where a number belongs",
    "not_finite": "NaN, infinity or a number too large",
    "not_a_flag": "something else where true or false belongs",
    "not_a_state": 'something else where "on" or "off" belongs',
    "unknown_word": "a word that means neither door nor window",
    "unit_unknown": "a number with a unit that is not known, or not one of what is measured",
    "duplicate_reading": "another value than the file's last one: a key twice, or a room in two spellings",
    "withheld": "a text or number in a form that something secret or personal may have",
    "secret": "a value that its key calls secret or personal",  # nosec B105 # pragma: allowlist secret
    "not_a_text": "something else where a text belongs",
    "not_an_object": "a value where the readings of a room or device belong",
    "bad_time": "a valid time that cannot be read (forecast)",
    "bad_row": "a line that has not six fields (forecast)",
    "unknown_unit": "a unit from which the measurement cannot be converted (forecast)",
    "contradicted": "a later line of the same time, step, site and measurement differs (forecast)",
}
QUARANTINE_REASONS: dict[str, str] = {
    "not_json": "the bytes are no JSON, or were cut off",
    "not_utf8": "JSON with letters that are neither Unicode nor of one code page",
    "nul_padding": "nothing but NUL bytes, or NUL bytes within it",
    "two_documents": "several JSON objects, one after the other, that differ",
    "too_deep": "nested deeper than can be read",
    "too_large": "more bytes, values or secrets than any sensor file has",
    "not_an_object": "JSON, but not an object",
    "no_readable_time": "neither the file nor its name says a time that can be believed",
    "user_mismatch": "the user inside is that of another home than the one in the name",
    "unknown_user": "neither the name nor the file says whose it is",
    "not_csv": "no CSV with the forecast's header",
    "no_lines": "a forecast's header with no line below it",
}

REJECTS = Table(
    layer="silver",
    name="rejects",
    grain="one row per refused value of a file that counts",
    columns=(
        text("source", "bronze table of the file", nullable=False),
        text("file_id", "file it stands in", nullable=False),
        text("home", "home id"),
        moment("window", "window of the file"),
        moment("minute", "minute of the file's readings"),
        text("device", "device id, where one is meant"),
        text("variable", "category.field, where one is meant"),
        text("json_path", "path of the value; of a forecast, line and column", nullable=False),
        text("raw_text", "the value as it stood if its form is harmless, else `***`", nullable=False),
        text("reason", "reason code", nullable=False),
        UTC_DATE,
    ),
    primary_key=("file_id", "window", "json_path"),
    subject=Subject.HOME,
    cadence=Cadence.MINUTE,
    place=Place("utc_date"),
    partition="utc_date",
    sort=("source", "file_id", "window", "json_path"),
)
