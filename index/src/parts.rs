//! [`parts`]: the requests that a query is made of, by rule.

mod request;

use request::{Behind, QUESTIONS, READ_MAX, VERBS, asks, asks_or_ends_so, is_request, wants, wants_near_end};

/// The most parts of a query. Each is a search of its own, so they are few.
pub(crate) const PARTS_MAX: usize = 6;

/// A part has so many words at the least, and so has what stands before a conjunction: `find and replace` is one request.
const WORDS_MIN: usize = 3;
/// How many words a quotation or a bracket may span to be one; beyond that its mark was a slip.
const QUOTED_MAX: usize = 40;

/// What says nothing of its own: a part has other words besides these.
const EMPTY: &str = "a about advice all also am an and another any anything are as assist assistance at available be by can \
    could data detail details do does easily find following for from further get give have help how i i'd i'm idea ideas if \
    in information into is issue it its kindly know let like looking make making me more my need needs of on options or \
    other our out please problem provide question questions recommend related regarding result results right should show so \
    some something specific suggest suggestions task tasks tell that the their them then there these they this those to us \
    various want was we what when where which will with would you your";
/// What points back at another part.
const POINTERS: &str = "it that them these this those";
/// What leads to a part and is none of it.
const LEADS: &str = "additionally afterward afterwards also and at besides finally first firstly following fourth fourthly \
    furthermore last lastly later moreover next now or plus second secondly subsequently that then third thirdly";
/// What a full stop ends besides sentences.
const SHORT: &str = "al approx cf dr e.g etc i.e inc mr mrs ms no st vs";

/// The parts of a query that asks for several things, in its order: two to [`PARTS_MAX`] pieces of it. None of a query that
/// asks for one thing.
///
/// A part is a sentence that asks, an item of a list that does, or a clause behind a conjunction with a verb of its own; what
/// only tells, or points back at another part, is none. The rules are of English, so a query in another language has parts
/// where its question marks show them, and none where words stand without spaces. Costs a pass over the query, and a look at
/// a few words for each.
pub(crate) fn parts(query: &str) -> Vec<&str> {
    let query = unquoted(query);
    let words = words(query);
    let mut parts: Vec<&str> = Vec::new();
    for clause in sentences(&words).into_iter().flat_map(clauses).map(trimmed) {
        let (Some(first), Some(last)) = (clause.first(), clause.last()) else { continue };
        if clause.iter().filter(|word| !word.bare.is_empty()).count() < WORDS_MIN
            || !is_request(clause)
            || !says_something(clause)
        {
            continue;
        }
        let part = query[first.start..last.start + last.text.len()]
            .trim_end_matches(|c: char| c.is_whitespace() || ",;:.".contains(c));
        if !parts.contains(&part) {
            parts.push(part);
        }
        if parts.len() == PARTS_MAX {
            break;
        }
    }
    if parts.len() < 2 { Vec::new() } else { parts }
}

/// Without quotation marks around the whole.
fn unquoted(query: &str) -> &str {
    let query = query.trim();
    let inner = query.strip_prefix('"').and_then(|query| query.strip_suffix('"'));
    inner.filter(|inner| !inner.contains('"')).unwrap_or(query)
}

/// A word of the query.
struct Word<'q> {
    /// As it is written, with its marks.
    text: &'q str,
    /// Its first byte.
    start: usize,
    /// In lower case, without the marks around it.
    bare: String,
    /// How many lines end before it.
    n_lines: usize,
    /// Whether a quotation or a bracket goes on behind it.
    is_quoted: bool,
    /// How many words from here on lead to a request and are none of it.
    n_leading: usize,
    /// The first byte of the last word with a comma or a colon, from which to here there is nothing but what leads.
    comma: Option<usize>,
}

impl Word<'_> {
    fn is(&self, list: &str) -> bool {
        list.split_ascii_whitespace().any(|one| one == self.bare)
    }

    fn ends_with(&self, marks: &[char]) -> bool {
        self.text.trim_end_matches(['"', '\'', '`', '”', '’', '»', ')', ']']).ends_with(marks)
    }

    fn ends_sentence(&self) -> bool {
        let is_letter = self.bare.chars().count() == 1 && self.bare.chars().all(char::is_alphabetic);
        let stops = self.ends_with(&['.']) && !self.text.ends_with("..") && !is_letter && !self.is(SHORT);
        stops || self.ends_with(&['!', '?', ';', '。', '！', '？', '；'])
    }

    /// Whether it marks an item of a list: `-`, `*`, `1.`, `(2)`.
    fn is_mark(&self) -> bool {
        let number = self.text.trim_start_matches('(').trim_end_matches(['.', ')']);
        let is_number = (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        ["-", "*", "•", "–", "—"].contains(&self.text) || is_number && self.text.ends_with(['.', ')'])
    }
}

fn words(query: &str) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    let mut end = 0;
    let pieces = query.split(char::is_whitespace).flat_map(|text| text.split_inclusive(['。', '！', '？', '；']));
    for text in pieces.filter(|text| !text.is_empty()) {
        let start = text.as_ptr() as usize - query.as_ptr() as usize;
        let n_lines = query[end..start].matches('\n').count();
        end = start + text.len();
        let bare = text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase().replace('’', "'");
        words.push(Word { text, start, bare, n_lines, is_quoted: false, n_leading: 0, comma: None });
    }
    mark_quoted(&mut words);
    mark_leading(&mut words);
    words
}

fn mark_quoted(words: &mut [Word<'_>]) {
    for begin in 0..words.len() {
        let mut rest = words[begin].text.chars();
        let Some(close) = rest.next().and_then(closing) else { continue };
        let first = rest.as_str();
        let texts = std::iter::once(first).chain(words[begin + 1..].iter().map(|word| word.text)).take(QUOTED_MAX);
        let closes = |text: &str| text.trim_end_matches(|c: char| c != close && !c.is_alphanumeric()).ends_with(close);
        if let Some(length) = texts.into_iter().position(closes) {
            words[begin..begin + length].iter_mut().for_each(|word| word.is_quoted = true);
        }
    }
}

/// Looks once, from the back, where a request begins for each word, so that a row of what leads is not walked again for each
/// of its words.
fn mark_leading(words: &mut [Word<'_>]) {
    let leads = |words: &[Word<'_>], place: usize| words.get(place).map_or(0, |word| word.n_leading);
    for place in (0..words.len()).rev() {
        let n_words = n_leading(&words[place..]);
        words[place].n_leading = if n_words == 0 { 0 } else { n_words + leads(words, place + n_words) };
    }
    for comma in 0..words.len() {
        if words[comma].text.ends_with([',', ':']) && !words[comma].is_quoted {
            let behind = comma + 1 + leads(words, comma + 1);
            let start = words[comma].start;
            words.get_mut(behind).into_iter().for_each(|word| word.comma = Some(start));
        }
    }
}

fn closing(open: char) -> Option<char> {
    match open {
        '"' | '\'' | '`' => Some(open),
        '“' => Some('”'),
        '‘' => Some('’'),
        '„' => Some('“'),
        '«' => Some('»'),
        '(' => Some(')'),
        '[' => Some(']'),
        '{' => Some('}'),
        '<' => Some('>'),
        _ => None,
    }
}

/// Sentences, and items of lists.
fn sentences<'w, 'q>(words: &'w [Word<'q>]) -> Vec<&'w [Word<'q>]> {
    let mut sentences = Vec::new();
    let mut begin = 0;
    for place in 1..words.len() {
        let (before, word, behind) = (&words[place - 1], &words[place], &words[place + 1..]);
        let ends = before.ends_sentence() && !before.is_mark();
        let is_item = word.is_mark() && (word.n_lines > 0 || ends || asks(behind, Behind::Nothing));
        let is_line = word.n_lines > 1 || word.n_lines == 1 && asks(&words[place..], Behind::Conjunction);
        if !before.is_quoted && (ends || is_item || is_line) {
            sentences.push(&words[begin..place]);
            begin = place;
        }
    }
    sentences.push(&words[begin..]);
    sentences
}

/// A sentence, cut at its conjunctions and commas with a request on either side.
fn clauses<'w, 'q>(sentence: &'w [Word<'q>]) -> Vec<&'w [Word<'q>]> {
    let mut clauses = Vec::new();
    let mut begin = 0;
    // Whether something is wanted by words so far back on the left that nothing behind `place` changes it.
    let mut is_wanted = false;
    for place in 1..sentence.len() {
        let (left, right) = (&sentence[begin..place], &sentence[place..]);
        let request = trimmed(left);
        if let Some(far) = request.len().checked_sub(READ_MAX) {
            is_wanted |= wants(&request[far..], request[0].start);
        }
        let before = &sentence[place - 1];
        let has_comma = before.text.ends_with([',', ':']);
        let n_joining = n_joining(right, has_comma);
        // What stands behind a comma alone and begins like a question is a relative clause.
        let is_joined = n_joining > 0 || has_comma && !right[0].is(QUESTIONS);
        if !is_joined || before.is_quoted || left.len() < WORDS_MIN || right.len() < n_joining + WORDS_MIN {
            continue;
        }
        let is_request = || is_wanted || asks_or_ends_so(request) || wants_near_end(request, READ_MAX - 1);
        // Two verbs in a row have one object.
        if !before.is(VERBS) && asks(&right[n_joining..], Behind::Conjunction) && is_request() {
            clauses.push(left);
            (begin, is_wanted) = (place, false);
        }
    }
    clauses.push(&sentence[begin..]);
    clauses
}

/// How many words a conjunction takes at the beginning of these.
fn n_joining(words: &[Word<'_>], after_comma: bool) -> usize {
    let bare = |place: usize| words.get(place).map_or("", |word| word.bare.as_str());
    match (bare(0), bare(1), bare(2)) {
        ("and", "after", "that" | "this") | ("as", "well", "as") => 3,
        ("and" | "but", "then" | "also" | "finally" | "lastly" | "next" | "please", _) => 2,
        ("after", "that" | "this", _) | ("followed", "by", _) => 2,
        ("and" | "then" | "plus" | "&" | "finally" | "afterwards", ..) => 1,
        ("also", ..) if after_comma => 1,
        _ => 0,
    }
}

/// How many words at the beginning of these lead to a request by themselves: none, or some whose like may follow.
fn n_leading(words: &[Word<'_>]) -> usize {
    match words {
        [after, that, ..] if after.is("after") && that.is("that this") => 2,
        [first, well, second, ..] if first.is("as") && well.is("well") && second.is("as") => 3,
        [first, well, ..] if first.is("as") && well.is("well") => 2,
        [first, ..] if first.bare.is_empty() || first.is_mark() || first.is(LEADS) => 1,
        _ => 0,
    }
}

/// Without what only leads to a request.
fn trimmed<'w, 'q>(clause: &'w [Word<'q>]) -> &'w [Word<'q>] {
    let n_leading = clause.first().map_or(0, |first| first.n_leading);
    clause.get(n_leading..).unwrap_or_default()
}

/// Whether a clause has words of its own: one, or two where it points back.
fn says_something(clause: &[Word<'_>]) -> bool {
    let own = clause.iter().filter(|word| !word.bare.is_empty() && !word.is(EMPTY)).count();
    own > usize::from(clause.iter().any(|word| word.is(POINTERS)))
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    #[test]
    fn a_query_is_cut_where_something_else_is_asked_for() {
        for (query, expected) in [
            (
                "Get the weather in Paris. Then send an email to Bob",
                vec!["Get the weather in Paris", "send an email to Bob"],
            ),
            (
                "find the open invoices of May, cancel the oldest one and then notify the accounting team",
                vec!["find the open invoices of May", "cancel the oldest one", "notify the accounting team"],
            ),
            (
                "What's the weather in Rome? Also, what is the price of gold today?",
                vec!["What's the weather in Rome?", "what is the price of gold today?"],
            ),
            (
                "I'd like to book a hotel in Rome, and could you also recommend a restaurant nearby?",
                vec!["I'd like to book a hotel in Rome", "could you also recommend a restaurant nearby?"],
            ),
            (
                "I need help with two things. 1. Create a calendar event 2. List my unread messages",
                vec!["Create a calendar event", "List my unread messages"],
            ),
            (
                "Please:\n- resize the picture logo.png\n- upload it to the bucket",
                vec!["resize the picture logo.png", "upload it to the bucket"],
            ),
            (
                "show open pull requests; show failing builds of the main branch",
                vec!["show open pull requests", "show failing builds of the main branch"],
            ),
            (
                "translate the word 'hello' into Bengali as well as compute the area of a circle",
                vec!["translate the word 'hello' into Bengali", "compute the area of a circle"],
            ),
            (
                "\"Can you find a hotel in Oslo? And tell me about its museums.\"",
                vec!["Can you find a hotel in Oslo?", "tell me about its museums"],
            ),
            (
                "¿Qué tiempo hace en Madrid? ¿Cuánto cuesta el oro?",
                vec!["¿Qué tiempo hace en Madrid?", "¿Cuánto cuesta el oro?"],
            ),
        ] {
            assert_eq!(parts(query), expected, "{query}");
        }
    }

    #[test]
    fn a_single_request_stays_whole() {
        for query in [
            "",
            "files.list",
            "weather forecast",
            "find and replace",
            "search and filter by date",
            "update the name and address of a customer",
            "power off and shut down a machine",
            "Send an email with CC to <email-address-1> and <email-address-2>",
            "detect and identify any malicious activity in the log",
            "I am on a trip to Rome. My budget is small. Find me a hotel there.",
            "I need your help with my network. Please analyze the firewall log.",
            "I want to create a QR code. Can you help me with that?",
            "Retrieve host name, status and region of a function app",
            "post the message 'Stop it. Then call me back!' in the channel",
            "Dr. Smith wants a list of patients, e.g. those of ward 3.",
            "Which of the files that I uploaded was changed last?",
        ] {
            assert_eq!(parts(query), Vec::<&str>::new(), "{query}");
        }
    }

    /// None of them would end if a word cost a look at all the others.
    #[test]
    fn a_long_query_costs_no_more_than_its_words() {
        let leads = ", ".repeat(20_000);
        for query in [
            "or\n".repeat(100_000),
            format!("x {leads}x{}", " and get x".repeat(20_000)),
            "also, x and get ".repeat(20_000),
            "as well as ".repeat(50_000) + "get",
            "after that, ".repeat(50_000) + "get",
            format!("x {leads}") + &"I want, x ".repeat(20_000),
        ] {
            assert!(parts(&query).len() <= PARTS_MAX);
        }
    }

    /// [`trimmed`], word by word.
    fn plainly_trimmed<'w, 'q>(mut clause: &'w [Word<'q>]) -> &'w [Word<'q>] {
        while n_leading(clause) > 0 {
            clause = &clause[n_leading(clause)..];
        }
        clause
    }

    /// [`is_request`], looking behind every comma.
    fn is_plainly_request(clause: &[Word<'_>]) -> bool {
        let asks = |clause, behind| asks(plainly_trimmed(clause), behind);
        let behind_comma = |place: usize| {
            let word = &clause[place];
            word.text.ends_with([',', ':']) && !word.is_quoted && asks(&clause[place + 1..], Behind::Conjunction)
        };
        asks(clause, Behind::Nothing)
            || clause.last().is_some_and(|word| word.ends_with(&['?', '？']))
            || clause.iter().any(|word| word.is("please"))
            || clause.windows(2).any(|pair| pair[0].is("looking") && pair[1].is("for"))
            || (0..clause.len()).any(behind_comma)
    }

    /// [`clauses`], looking at all of the left again at each place.
    fn plain_clauses<'w, 'q>(sentence: &'w [Word<'q>]) -> Vec<&'w [Word<'q>]> {
        let mut clauses = Vec::new();
        let mut begin = 0;
        for place in 1..sentence.len() {
            let (left, right) = (&sentence[begin..place], &sentence[place..]);
            let before = &sentence[place - 1];
            let has_comma = before.text.ends_with([',', ':']);
            let n_joining = n_joining(right, has_comma);
            let is_joined = n_joining > 0 || has_comma && !right[0].is(QUESTIONS);
            if is_joined
                && !before.is_quoted
                && !before.is(VERBS)
                && left.len() >= WORDS_MIN
                && right.len() >= n_joining + WORDS_MIN
                && asks(plainly_trimmed(&right[n_joining..]), Behind::Conjunction)
                && is_plainly_request(plainly_trimmed(left))
            {
                clauses.push(left);
                begin = place;
            }
        }
        clauses.push(&sentence[begin..]);
        clauses
    }

    #[test]
    fn one_pass_cuts_where_many_would() {
        let pieces = "and|and|then|also|plus|as|well|as well as|after|that|get|send|list|list the|the|mail|I|want|need|to|\
            help|please|looking|for|can|you|what|let|me|-|(x|y)|is|weather";
        let pieces: Vec<&str> = pieces.split('|').collect();
        let rng = &mut Rng::with_seed(7);
        let (mut n_cut, mut n_requests) = (0, 0);
        for _ in 0..100_000 {
            let mut query = String::new();
            for _ in 0..rng.usize(..24) {
                query += pieces[rng.usize(..pieces.len())];
                query += [" ", " ", " ", " ", ", ", ": ", "? ", ". ", "\n", "\n\n"][rng.usize(..10)];
            }
            let words = words(&query);
            for sentence in sentences(&words) {
                let (fast, plain) = (clauses(sentence), plain_clauses(sentence));
                let lengths = |clauses: &[&[Word<'_>]]| clauses.iter().map(|clause| clause.len()).collect::<Vec<_>>();
                assert_eq!(lengths(&fast), lengths(&plain), "{query:?}");
                n_cut += fast.len() - 1;
                for clause in fast {
                    let (fast, plain) = (trimmed(clause), plainly_trimmed(clause));
                    // What leads across the end of a clause leaves nothing of it, or a word, which is no part either.
                    assert!(fast.len() == plain.len() || fast.is_empty() && plain.len() == 1, "{query:?}");
                    assert!(fast.is_empty() || is_request(fast) == is_plainly_request(plain), "{query:?}");
                    n_requests += usize::from(is_request(fast));
                }
            }
        }
        assert!(n_cut > 2_000 && n_requests > 100_000, "{n_cut} cuts and {n_requests} requests test little");
    }

    /// Whatever is asked, parts are pieces of it that stand in its order, and there are few of them.
    #[test]
    fn parts_are_pieces_in_order() {
        const PIECES: [&str; 24] = [
            "get ",
            "the ",
            "weather",
            ". ",
            "and then ",
            "; ",
            "\n- ",
            "\n\n",
            "1. ",
            "(2) ",
            "\"",
            "'",
            "(",
            ")",
            "please ",
            "что? ",
            "查询天气。",
            "send ",
            "a mail",
            ", ",
            "also ",
            "?",
            "\u{a0}",
            "“",
        ];
        let rng = &mut Rng::with_seed(6);
        let mut n_split = 0;
        for _ in 0..20_000 {
            let query: String = (0..rng.usize(..40)).map(|_| PIECES[rng.usize(..PIECES.len())]).collect();
            let parts = parts(&query);
            assert!(parts.len() != 1 && parts.len() <= PARTS_MAX, "{query:?}");
            let mut end = 0;
            for part in &parts {
                let start = part.as_ptr() as usize - query.as_ptr() as usize;
                assert!(start >= end && query.get(start..start + part.len()) == Some(part), "{query:?}");
                assert!(part.contains(char::is_alphabetic) && part.trim() == *part, "{query:?}: {part:?}");
                end = start + part.len();
            }
            n_split += usize::from(!parts.is_empty());
        }
        assert!(n_split > 1_000, "only {n_split} were split");
    }
}
