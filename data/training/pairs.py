"""Makes the training pairs: a query, and the tools that answer it, of every set that may train.

    python pairs.py <shared folder> <out folder>

Three kinds. Judged queries are taken as they are. So are requests that were written for tools (`requests/`: by large language
models that were shown a tool and asked what a person would say; data/models/README.md). From catalogs, where nobody has asked
anything, one part of a tool's own words (its title, or the first sentence of its description) becomes the query, and is taken
out of the text that it must find. It is then said as people ask: tersely, politely, as a wish, as a question, with or without
the product's name. Each pair also gets its neighbours: pairs of the same set, or of the catalog that a request is for, whose
tools are hard to tell from its own, for `train.py` to put into the same batch. Beside the pairs stand judged lists: what an encoder
found for a request, with a grade for each tool.
Everything is drawn with a fixed seed. Takes some five minutes.

The tools that answer sealtools' `test_out_domain`, on which the models are developed, stay out altogether.
"""

import gzip
import json
import random
import re
import sys
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer

SEED = 6
# What was written and judged for training, beside this script.
REQUESTS = Path(__file__).parent / "requests"
# Judged sets: folder, and the splits that may train (None: all).
JUDGED = {
    "training/metatool": None,
    "training/toolret_apigen": None,
    "training/toolret_toolink": None,
    "training/nl2bash_tldr": None,
    "relevance/sealtools": {"dev", "test_in_domain"},
}
CATALOGS = ["relevance/catalog_openapi", "relevance/catalog_agent_tools"]
# Sets of single functions and commands for which requests were written too. Their own queries are few.
FUNCTIONS = ["training/toolret_apigen", "training/toolret_toolink", "training/nl2bash_tldr"]
# A namespace gives at most so many tools, or one vendor would be a seventh of all.
PER_NAMESPACE = 120
NEIGHBOURS = 8
# Tools more alike than this (cosine of TF-IDF) are forks or versions of each other: either answers.
SAME = 0.85


def read(path):
    with gzip.open(path, "rt") if path.suffix == ".gz" else open(path) as lines:
        yield from map(json.loads, lines)


def spaced(name):
    """`listUserRepos`, `list_user-repos` -> `list user repos`, as the index spells names in words."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return re.sub(r"[\W_]+", " ", name).strip().lower()


def parameters(tool):
    properties = (tool.get("input_schema") or {}).get("properties")
    return list(properties) if isinstance(properties, dict) else []


def text(tool, title=True, description=None, namespace=True):
    """What the index embeds of a tool (`Tool::embedding_text`), perhaps with a part left out."""
    head = f"{spaced(tool.get('namespace') or '') if namespace else ''} {spaced(tool['name'])}".strip()
    parts = [head, tool.get("title") if title else None, tool.get("description") if description is None else description]
    names = parameters(tool)
    return ". ".join(part for part in parts if part) + (" Parameters: " + ", ".join(names) if names else "")


def first_sentence(description):
    """The first sentence and the rest."""
    match = re.match(r"\s*(.+?[.!?\n])(?:\s+|$)(.*)", description, re.S)
    return (match[1].strip(), match[2].strip()) if match else (description.strip(), "")


VERBS = {
    "returns": "get", "return": "get", "retrieves": "get", "retrieve": "get", "gets": "get", "fetches": "fetch",
    "lists": "list", "creates": "create", "deletes": "delete", "removes": "remove", "updates": "update", "adds": "add",
    "sends": "send", "searches": "search", "finds": "find", "shows": "show", "sets": "set", "generates": "generate",
    "computes": "compute", "calculates": "calculate", "converts": "convert", "checks": "check", "uploads": "upload",
    "downloads": "download", "enables": "enable", "disables": "disable", "starts": "start", "stops": "stop",
    "moves": "move", "copies": "copy",
}
# What introduces a description and no request.
INTRODUCTION = re.compile(
    r"^(this (endpoint|api|method|function|tool|operation|call|action|service)( (is used|can be used|allows you|lets you))?"
    r"( to)?|use this (endpoint|tool|method)? ?to|a (tool|function|method) (to|that|for)|api (to|for)|allows you to|"
    r"used to|an? endpoint (to|for))\s+",
    re.I,
)


def request(sentence):
    """A description's sentence as a request: `Returns the users of a team.` -> `get the users of a team`."""
    words = INTRODUCTION.sub("", sentence.strip()).rstrip(".!? ").split()
    if not words:
        return ""
    first = words[0].lower()
    words[0] = VERBS.get(first, first if words[0][1:].islower() else words[0])
    return " ".join(words)


def product(tool):
    """What people call the product: `github.com` -> `github`, `someone/office-word-mcp-server` -> `office word`."""
    name = (tool.get("namespace") or "").split(":")[0]
    name = name.split("/")[-1] if re.match(r"[\w.-]+/.*mcp", name, re.I) else re.sub(r"\.(com|net|org|io|local|co)\b", "", name)
    words = [word for word in spaced(name).split() if word not in {"mcp", "server", "api", "apis"} and not re.search(r"\d", word)]
    return " ".join(words[:3])


STOP = set("the a an of for to in on with by from all and or is are be this that these those given specified".split())
CHATTY = [
    "I need to {}", "I want to {}", "can you {}?", "could you please {}", "please {}", "{} please", "how do I {}?",
    "help me {}", "I'd like to {}", "hey, {}", "is there a way to {}?", "we have to {} today", "my boss asked me to {}",
    "what's the best way to {}?", "{} for me", "I'm trying to {}",
]
VALUES = ["<name>", "<id>", "'report-7'", "12345", '"Q3 plan"', "acme-prod", "for project phoenix", "2024-05-01", "alice@example.com"]


def slip(word, rng):
    """The word with two neighbouring letters exchanged, or one lost."""
    place = rng.randrange(1, len(word) - 1)
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :] if rng.random() < 0.5 else word[:place] + word[place + 1 :]


def said(query, tool, rng):
    """The query in one of the ways in which people and agents ask."""
    name = product(tool)
    if name and rng.random() < 0.3:
        query = rng.choice([f"{query} in {name}", f"{name} {query}", f"{query} using {name}", f"{name}: {query}"])
    way = rng.random()
    if 0.35 <= way < 0.55:
        kept = [word for word in query.split() if word.lower() not in STOP]
        query = " ".join(kept[: rng.randint(2, 7)]).lower() or query
    elif 0.55 <= way < 0.85:
        query = rng.choice(CHATTY).format(query)
    elif 0.85 <= way:
        words = query.split()
        words.insert(rng.randint(1, len(words)), rng.choice(VALUES))
        query = " ".join(words)
    if rng.random() < 0.04:
        words = query.split()
        place = rng.randrange(len(words))
        if len(words[place]) > 4:
            words[place] = slip(words[place], rng)
        query = " ".join(words)
    return query


def judged(shared, kept_out, rng):
    for folder, splits in JUDGED.items():
        tools = {tool["id"]: tool for tool in read(shared / folder / "tools.jsonl")}
        name = folder.split("/")[1]
        for query in read(shared / folder / "queries.jsonl"):
            if splits is None or query.get("split") in splits:
                gold = [tool for tool, grade in query["relevant"].items() if grade > 0 and tool in tools]
                gold = [tool for tool in gold if f"{name}/{tool}" not in kept_out]
                for tool in gold:
                    others = [text(tools[other]) for other in gold if other != tool]
                    bare = text(tools[tool], namespace=False)
                    yield {
                        "set": name, "query": query["query"], "document": text(tools[tool]) if rng.random() < 0.8 else bare,
                        "others": others, "whole": text(tools[tool]),
                    }


def catalogs(shared, rng):
    for folder in CATALOGS:
        name = folder.split("/")[1]
        seen, by_namespace = set(), {}
        for tool in tools_of(shared, folder):
            key = (tool["name"], tool.get("description"))
            if key not in seen and len((tool.get("description") or "").split()) >= 3:
                seen.add(key)
                by_namespace.setdefault(tool.get("namespace") or "", []).append(tool)
        for namespace in sorted(by_namespace):
            tools = by_namespace[namespace]
            for tool in rng.sample(tools, min(len(tools), PER_NAMESPACE)):
                sentence, rest = first_sentence(tool["description"])
                title = tool.get("title")
                how = {"namespace": rng.random() < 0.85}
                # Half of the time by its title, where it has one that says something.
                if title and len(title.split()) >= 3 and rng.random() < 0.5:
                    query, how = request(title), {**how, "title": False}
                elif rest or title:
                    query, how = request(sentence), {**how, "description": rest}
                else:
                    # Its one sentence is all there is: name and parameters must do, half of the time.
                    query, how = request(sentence), {**how, "description": "" if rng.random() < 0.5 else None}
                if len(query.split()) >= 2:
                    query = said(" ".join(query.split()[:40]), tool, rng)
                    yield {"set": name, "query": query, "document": text(tool, **how), "others": [], "whole": text(tool)}


def tools_of(shared, folder):
    """A catalog's tools, or those of another set."""
    return read(shared / folder / ("tools.jsonl.gz" if folder in CATALOGS else "tools.jsonl"))


def invented():
    """The functions that were invented with their requests, as tools."""
    return ({**tool, "input_schema": {"properties": tool["parameters"]}} for tool in read(REQUESTS / "invented.jsonl"))


def requested(shared):
    """What was written for tools, as sets of their own: `requests/<set>*.tsv`, a tool's id and its requests; and functions that were
    invented with their requests, four to six of a family that are easily confused."""
    for folder in CATALOGS + FUNCTIONS:
        name = folder.split("/")[1]
        lines = (line.rstrip("\n").split("\t") for file in sorted(REQUESTS.glob(f"{name}*.tsv")) for line in open(file))
        requests = {tool: queries for tool, *queries in lines}
        tools = {tool["id"]: tool for tool in tools_of(shared, folder) if tool["id"] in requests}
        for tool, queries in requests.items():
            whole = text(tools[tool])
            pair = {"set": f"requests_{name}", "document": whole, "others": [], "whole": whole}
            if folder in CATALOGS:
                # Another vendor's tool may well do the same, and is no negative; a sibling does something else.
                pair |= {"near_set": name, "near_prefix": spaced(tools[tool].get("namespace") or "") + " "}
            yield from ({**pair, "query": query} for query in queries)
    for tool in invented():
        whole = text(tool)
        pair = {"set": "requests_invented", "document": whole, "others": [], "whole": whole}
        yield from ({**pair, "query": query} for query in tool["requests"])


def judged_lists(shared):
    """What an encoder found for requests, each tool with the grade that a language model gave it after reading both: 2 where
    it does what is asked, 1 where it would in part, 0 where it does not. `requests/judged.*.jsonl`; for some of them the request
    was said in another language too (`requests/translated.tsv`)."""
    texts = {f"invented/{tool['name']}": text(tool) for tool in invented()}
    for folder in CATALOGS + FUNCTIONS[:1]:
        for tool in tools_of(shared, folder):
            texts.setdefault(tool["id"], text(tool))
    translated = dict(line.rstrip("\n").split("\t") for line in open(REQUESTS / "translated.tsv"))
    for file in sorted(REQUESTS.glob("judged.*.jsonl")):
        for one in read(file):
            judged = {"documents": [texts[tool] for tool in one["grades"]], "grades": list(one["grades"].values())}
            queries = [one["query"], translated.get(one["query"])]
            yield from ({"query": query, **judged} for query in queries if query)


def neighbours(pairs, among=None):
    """For each pair of one set, the places of the pairs (`among`, or of the set) whose tools are nearest and not the same."""
    texts = [pair["whole"] for pair in [*(among or []), *pairs]]
    n_among = len(among or pairs)
    first = len(among or [])
    # Words of more than one text in fifty tell nothing apart and cost the most.
    vectors = TfidfVectorizer(max_df=0.02 if len(texts) > 10_000 else 0.2, sublinear_tf=True, dtype="float32").fit_transform(texts)
    for begin in range(first, len(texts), 1_000):
        near = (vectors[begin : begin + 1_000] @ vectors[:n_among].T).tocsr()
        for row in range(near.shape[0]):
            data, columns = near.data[near.indptr[row] : near.indptr[row + 1]], near.indices[near.indptr[row] : near.indptr[row + 1]]
            order = (-data).argsort()[: NEIGHBOURS * 8]
            own, found, seen = texts[begin + row], [], set()
            prefix = pairs[begin - first + row].get("near_prefix", "")
            for place in order:
                other = texts[columns[place]]
                if data[place] < SAME and other != own and other not in seen and other.startswith(prefix):
                    seen.add(other)
                    found.append(int(columns[place]))
            pairs[begin - first + row]["near"] = found[:NEIGHBOURS]


def main():
    shared, out = map(Path, sys.argv[1:3])
    out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(SEED)
    kept_out = set()
    for query in read(shared / "relevance/sealtools/queries.jsonl"):
        if query["split"] == "test_out_domain":
            kept_out.update(f"sealtools/{tool}" for tool in query["relevant"])
    by_set = {}
    for pair in [*judged(shared, kept_out, rng), *catalogs(shared, rng), *requested(shared)]:
        by_set.setdefault(pair["set"], []).append(pair)
    with open(out / "pairs.jsonl", "w") as file:
        for name, pairs in by_set.items():
            neighbours(pairs, by_set.get(pairs[0].get("near_set")))
            print(name, len(pairs), flush=True)
            for pair in pairs:
                file.write(json.dumps(pair) + "\n")
    with open(out / "lists.jsonl", "w") as file:
        for one in judged_lists(shared):
            file.write(json.dumps(one) + "\n")


main()
