"""What the OpenAPI document names and no schema can tell: how a ref is spelled, and which cursors and versions there are."""

import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode

SOURCE = r"[a-z0-9_-]{1,64}"
NAME = r"[A-Za-z0-9_~:-]{1,40}"
# Those of the catalog, and others: hidden and missing are the same.
schemathesis.openapi.format(
    "tool-ref",
    st.sampled_from(["test://library.library_search_books", "test://library.library_reserve_book"])
    | st.from_regex(rf"\A{SOURCE}://{NAME}\.{NAME}(@[0-9]\.[0-9]\.[0-9])?\Z", fullmatch=True),
)

# By these, a request that keeps to the schemas may be refused all the same.
MEANING = {"bad_ref", "bad_cursor", "stale_cursor", "precondition_failed"}
# A rule must select something, a time be one, a vendor's shape stand without `detail`, and why_not be asked for somebody: by these
# fields, what else has a wrong value.
MEANING_AT = {
    ("/v1/admin/policy/rules", ""),
    ("/v1/admin/audit", "/since"),
    ("/v1/admin/audit", "/until"),
    ("/v1/admin/why_not", "/user"),
    ("/v1/search_tools", "/shape"),
}


@schemathesis.check
def refused_for_its_meaning_alone(ctx, response, case):
    """In place of positive_data_acceptance, which knows statuses and no codes."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    if not 400 <= response.status_code < 500 or response.status_code in (401, 404, 405, 409):
        return
    problem = response.json()
    is_told = problem["code"] in MEANING or (
        problem["code"] == "invalid_value" and (case.operation.path, problem.get("pointer")) in MEANING_AT
    )
    assert is_told, f"{problem['code']} at {problem.get('pointer')} to what the document calls good"
