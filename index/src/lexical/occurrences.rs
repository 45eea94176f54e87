//! [`Occurrences`]: where the terms of a query occur inside an allowed set.

use std::ops::Range;

use tantivy::postings::BlockSegmentPostings;

use super::fields::{N_FIELDS, NAME};
use super::index::PostingList;
use crate::allowed::{AllowedSet, STRETCH_MAX};
use crate::places::{BASE, DELTA, Places};

/// Set in a document where the term stands in its name.
pub(super) const IN_NAME: u32 = 1 << 31;

/// What one occurrence in a field counts, by the field's length in the document (as tantivy keeps it, in one byte).
pub(super) type Normalisers = [[f32; 256]; N_FIELDS];

/// The documents of all terms, one term after the other, each in ref order. Kept from query to query for its memory.
#[derive(Default)]
pub(super) struct Occurrences {
    /// With [`IN_NAME`].
    pub documents: Vec<u32>,
    /// The term's frequencies in the fields, each normalised, summed in the order of the fields.
    pub frequencies: Vec<f32>,
    window: Window,
}

// Each word of a window's bits has a bit itself.
const _: () = assert!(STRETCH_MAX / 64 <= 64);

/// One stretch of documents while the lists of a term are summed there: small enough to stay in the first cache.
struct Window {
    frequencies: Box<[f32; STRETCH_MAX]>,
    /// How many rows were read for them.
    n_read: usize,
    /// Which words of the two that follow are not 0.
    words: u64,
    /// Which of them are not 0, one bit a document.
    held: [u64; STRETCH_MAX / 64],
    /// Which of them hold the term in their names.
    named: [u64; STRETCH_MAX / 64],
}

impl Default for Window {
    fn default() -> Self {
        Self { frequencies: Box::new([0.0; _]), n_read: 0, words: 0, held: [0; _], named: [0; _] }
    }
}

impl Occurrences {
    /// The most places that are kept for the next query: 16 MiB.
    const KEPT_MAX: usize = 2 << 20;

    pub fn clear(&mut self) {
        self.documents.clear();
        self.frequencies.clear();
        self.documents.shrink_to(Self::KEPT_MAX);
        self.frequencies.shrink_to(Self::KEPT_MAX);
    }

    /// Takes out what was added since there were `n` places.
    pub fn truncate(&mut self, n: usize) {
        self.documents.truncate(n);
        self.frequencies.truncate(n);
    }

    /// Adds the allowed documents that hold a term, by its posting lists in the order of layers and fields. What of the
    /// lists lies between the set's stretches is passed over by their skip lists.
    pub fn read(
        &mut self,
        lists: &[PostingList<'_>],
        places: &Places,
        allowed: &AllowedSet,
        normalisers: &Normalisers,
    ) -> tantivy::Result<()> {
        let mut cursors = lists.iter().map(Cursor::open).collect::<tantivy::Result<Vec<_>>>()?;
        for stretch in allowed.stretches() {
            let rows = [BASE, DELTA].map(|layer| places.rows(layer, stretch.clone()));
            if let [cursor] = cursors.as_mut_slice() {
                let list = cursor.list;
                let (table, name) = (&normalisers[list.place], if list.place == NAME { IN_NAME } else { 0 });
                cursor.read(rows[list.layer].clone(), |rows, frequencies| {
                    self.add(rows.iter().zip(frequencies).map(|(&row, &frequency)| {
                        // A hidden row is no document, and nothing is allowed beyond the last.
                        let document = places.document(list.layer, row).unwrap_or(u32::MAX);
                        (
                            document | name,
                            table[list.length_id(row)] * frequency as f32,
                            allowed.is_searchable(document),
                        )
                    }));
                });
            } else {
                for cursor in &mut cursors {
                    let list = cursor.list;
                    let table = &normalisers[list.place];
                    let window = &mut self.window;
                    cursor.read(rows[list.layer].clone(), |rows, frequencies| match places {
                        Places::Whole(_) => window.add(list, table, stretch.start, rows, frequencies, Some),
                        Places::Merged { .. } => {
                            let document = |row| places.document(list.layer, row);
                            window.add(list, table, stretch.start, rows, frequencies, document);
                        }
                    });
                }
                self.take_window(stretch, allowed);
            }
        }
        Ok(())
    }

    /// Adds those that are said to belong, without a branch for each.
    fn add(&mut self, places: impl ExactSizeIterator<Item = (u32, f32, bool)>) {
        let mut end = self.documents.len();
        self.documents.resize(end + places.len(), 0);
        self.frequencies.resize(end + places.len(), 0.0);
        for (document, frequency, belongs) in places {
            self.documents[end] = document;
            self.frequencies[end] = frequency;
            end += usize::from(belongs);
        }
        self.documents.truncate(end);
        self.frequencies.truncate(end);
    }

    /// Adds the allowed documents of the window and leaves it empty.
    fn take_window(&mut self, stretch: &Range<u32>, allowed: &AllowedSet) {
        let window = &mut self.window;
        let allowed = &allowed.bits()[stretch.start as usize / 64..];
        let end = self.documents.len();
        let n_most = std::mem::take(&mut window.n_read).min(STRETCH_MAX);
        self.documents.resize(end + n_most, 0);
        self.frequencies.resize(end + n_most, 0.0);
        let mut places = self.documents[end..].iter_mut().zip(&mut self.frequencies[end..]);
        for word in each_bit(std::mem::take(&mut window.words)) {
            let word = word as usize;
            let (held, named) = (std::mem::take(&mut window.held[word]), std::mem::take(&mut window.named[word]));
            let lanes = &mut window.frequencies[word * 64..][..64];
            for bit in each_bit(held & allowed[word]) {
                // There are no more bits than rows were read.
                let Some((document, frequency)) = places.next() else { break };
                let in_name = (named >> bit & 1) as u32 * IN_NAME;
                *document = (stretch.start + word as u32 * 64 + bit) | in_name;
                *frequency = std::mem::take(&mut lanes[bit as usize]);
            }
            each_bit(held & !allowed[word]).for_each(|bit| lanes[bit as usize] = 0.0);
        }
        let n_left = places.len();
        debug_assert!(window.frequencies.iter().all(|&frequency| frequency == 0.0), "the window is left empty");
        self.documents.truncate(self.documents.len() - n_left);
        self.frequencies.truncate(self.frequencies.len() - n_left);
    }
}

/// The places of the bits that are set, the lowest first.
fn each_bit(mut bits: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = (bits != 0).then(|| bits.trailing_zeros())?;
        bits &= bits - 1;
        Some(bit)
    })
}

impl Window {
    /// Adds what a list's rows count, in a stretch that begins with the document `start`. `document` gives a row's, or `None` where
    /// it is hidden.
    fn add(
        &mut self,
        list: &PostingList<'_>,
        table: &[f32; 256],
        start: u32,
        rows: &[u32],
        frequencies: &[u32],
        document: impl Fn(u32) -> Option<u32>,
    ) {
        self.n_read += rows.len();
        // The bits of a word are gathered before they are stored: in a dense list the next row waits for the last one's store.
        let (mut word, mut bits) = (0, 0);
        for (&row, &frequency) in rows.iter().zip(frequencies) {
            let Some(document) = document(row) else { continue };
            let at = (document - start) as usize;
            self.frequencies[at] += table[list.length_id(row)] * frequency as f32;
            if at / 64 != word {
                self.hold(list, word, bits);
                (word, bits) = (at / 64, 0);
            }
            bits |= 1 << (at % 64);
        }
        self.hold(list, word, bits);
    }

    fn hold(&mut self, list: &PostingList<'_>, word: usize, bits: u64) {
        self.held[word] |= bits;
        self.words |= u64::from(bits != 0) << word;
        if list.place == NAME {
            self.named[word] |= bits;
        }
    }
}

/// A posting list that is read from stretch to stretch.
struct Cursor<'a> {
    list: &'a PostingList<'a>,
    block: BlockSegmentPostings,
    /// The next place in the block.
    at: usize,
}

impl<'a> Cursor<'a> {
    fn open(list: &'a PostingList<'a>) -> tantivy::Result<Self> {
        Ok(Self { list, block: list.open()?, at: 0 })
    }

    /// Gives the list's rows in a range with their frequencies, block by block. Ranges must come in their order.
    fn read(&mut self, range: Range<u32>, mut each: impl FnMut(&[u32], &[u32])) {
        if range.is_empty() || self.block.docs().last().is_none() {
            return;
        }
        if self.block.doc(self.at) < range.start {
            self.at = self.block.seek(range.start);
        }
        while let Some(rows) = self.block.docs().get(self.at..).filter(|rows| !rows.is_empty()) {
            let n = match rows.last() {
                Some(&last) if last < range.end => rows.len(),
                _ => rows.partition_point(|&row| row < range.end),
            };
            each(&rows[..n], &self.block.freqs()[self.at..self.at + n]);
            self.at += n;
            if n < rows.len() {
                return;
            }
            self.block.advance();
            self.at = 0;
        }
    }
}
