//! What a request looks like in English, by rule.

use super::{Word, trimmed};

/// The most words at which [`asks`] looks, from the first that does not lead on.
pub(super) const READ_MAX: usize = 7;

/// What begins a request wherever it stands.
pub(super) const VERBS: &str = "add analyse analyze append apply arrange assess attach authenticate begin build \
    calculate cancel categorize classify clean close collect compare compile compose compress compute conduct \
    configure confirm convert create debug decrypt delete deploy describe detect determine diagnose disable discover \
    divide download draft draw edit enable encode encrypt ensure enter establish estimate evaluate examine execute \
    explain explore extract factor fetch find fix gather generate get give help identify imagine initiate insert \
    inspect install integrate invite invoke kill learn locate make merge modify monitor move multiply notify obtain \
    open optimize organize perform predict prepare provide publish purchase read recommend recover remind remove \
    rename render replace reply reserve resize resolve restart restore retrieve return reverse roll save scan see \
    select send show sign simulate solve sort split start stop store submit subscribe subtract suggest sum summarise \
    summarize supply tell terminate toggle transcribe transform translate turn uninstall unlock unsubscribe upload \
    use validate verify view visualise visualize write";
/// What is a noun as often: at the beginning of a sentence it is a request, behind a conjunction only before a word that a
/// verb's object begins with.
const NOUN_VERBS: &str = "access alert archive assign audit backup ban block book browse buy call change chart check clone \
    commit copy count crop cut design display email export file filter forecast format grant graph guide highlight host \
    import index join label launch lease lend lift link list load lock log look lookup mail map mark measure message order \
    pay pick plan play plot post print process promote query quote rank rate record refresh refund register release rent \
    report request research reset review revoke rotate route run schedule search set share ship spell stream swap switch \
    sync tag take test track trade train transfer trigger tune update watch work zip";
/// What the object of a verb begins with.
const OBJECTS: &str = "a all an another any at each every for if in into it its me my new of on our out some that the their \
    them these this those through to two up us what whether which";
/// What a question begins with.
pub(super) const QUESTIONS: &str = "how what what's when where where's which who who's whom whose why";
/// The first word of a question that is told by its second.
const MODALS: &str = "can could may might must shall should will would";
const SUBJECTS: &str = "i it one someone there they we you";
/// Likewise of one that is told by its mark, and the second word then.
const AUXILIARIES: &str = "are did do does had has have is was were";
const TOPICS: &str = "a an any i it my our the there they this we you your";
/// What stands soon after `I` where something is wanted, and what then asks for nothing yet.
const WANTS: &str = "like must need prefer require should want wanna wish would";
const HELP: &str = "assistance help";

/// What a request may stand behind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// It begins its sentence.
    Nothing,
    /// A word that may as well be followed by a noun.
    Conjunction,
}

/// Whether a request begins here. Looks at no more than [`READ_MAX`] words from the first that does not lead.
pub(super) fn asks(words: &[Word<'_>], behind: Behind) -> bool {
    let words = trimmed(words);
    let Some(first) = words.first() else { return false };
    let is = |place: usize, list: &str| words.get(place).is_some_and(|word| word.is(list));
    match first.bare.as_str() {
        "please" | "kindly" | "just" | "let's" | "i'd" | "we'd" => true,
        "let" => is(1, "me us"),
        "i'm" | "we're" => is(1, "interested looking"),
        "i" | "we" => (1..4)
            .find(|&place| is(place, WANTS))
            .is_some_and(|wants| !(wants + 1..wants + 4).any(|place| is(place, HELP))),
        _ if first.is(VERBS) || first.is(QUESTIONS) => true,
        _ if first.is(NOUN_VERBS) => behind == Behind::Nothing || is(1, OBJECTS),
        _ if first.is(MODALS) => is(1, SUBJECTS),
        _ if first.is(AUXILIARIES) => behind == Behind::Nothing && is(1, TOPICS),
        _ => false,
    }
}

/// Whether a clause, without what leads to it, asks for something.
pub(super) fn is_request(clause: &[Word<'_>]) -> bool {
    asks_or_ends_so(clause) || wants_near_end(clause, clause.len())
}

/// Whether a clause is a request by how it begins or ends.
pub(super) fn asks_or_ends_so(clause: &[Word<'_>]) -> bool {
    asks(clause, Behind::Nothing) || clause.last().is_some_and(|word| word.ends_with(&['?', '？']))
}

/// Whether a clause is a request by what stands at one of its last `n` words.
pub(super) fn wants_near_end(clause: &[Word<'_>], n: usize) -> bool {
    (clause.len().saturating_sub(n)..clause.len()).any(|place| wants(&clause[place..], clause[0].start))
}

/// Whether a clause that begins at the byte `from` and ends with these words is a request by the first of them. Looks at
/// [`READ_MAX`] at the most.
pub(super) fn wants(words: &[Word<'_>], from: usize) -> bool {
    let [first, rest @ ..] = words else { return false };
    match first.bare.as_str() {
        "please" => true,
        "looking" if rest.first().is_some_and(|next| next.bare == "for") => true,
        _ => first.comma.is_some_and(|comma| comma >= from) && asks(words, Behind::Conjunction),
    }
}
