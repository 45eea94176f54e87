//! Every fuzz target takes its seeds, and thousands of mutations of them, on each run of the tests.

use std::time::{Duration, Instant};

use shortlist_benches::fuzz::TARGETS;

/// Mutations of each seed.
const N_MUTATIONS: usize = 1_500;

/// One to four random edits: a byte changed, taken out, put in, or a piece copied over another.
fn mutated(seed: &[u8], rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..rng.usize(1..5) {
        let (at, n) = (rng.usize(..=bytes.len()), rng.usize(1..12));
        let end = bytes.len().min(at + n);
        match rng.u8(..5) {
            0 => bytes.splice(at..end, []).for_each(drop),
            1 => bytes.insert(at, rng.u8(..)),
            2 => bytes[at..end].iter_mut().for_each(|byte| *byte ^= 1 << rng.u8(..8)),
            3 => {
                let odd = [
                    &b"\""[..],
                    b"{",
                    b"}",
                    b"[",
                    b"null",
                    b"-1",
                    b"1e999",
                    b"\xff",
                    b"\n",
                    b"\\u0000",
                    b"$ref",
                    b"#/",
                ];
                bytes.splice(at..at, odd[rng.usize(..odd.len())].iter().copied()).for_each(drop);
            }
            _ => {
                let piece = bytes[at..end].to_vec();
                let to = rng.usize(..=bytes.len());
                bytes.splice(to..to, piece).for_each(drop);
            }
        }
    }
    bytes
}

#[test]
fn every_parser_of_foreign_bytes_takes_whatever_comes() {
    for target in &TARGETS {
        let mut rng = fastrand::Rng::with_seed(23);
        for seed in target.seeds {
            (target.run)(seed);
            for _ in 0..N_MUTATIONS {
                (target.run)(&mutated(seed, &mut rng));
            }
        }
    }
}

/// The same for a while, further from the seeds. It knows nothing of the paths through the code, as `benches/fuzz/run` does, but
/// needs no build of its own.
#[test]
#[ignore = "takes a minute for each parser, of which each has a short run that always runs; by hand: FUZZ_SECONDS=60 cargo test --release --workspace --test it -- --ignored --nocapture for_a_while"]
fn every_parser_takes_whatever_comes_for_a_while() {
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    for target in &TARGETS {
        let mut rng = fastrand::Rng::with_seed(29);
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut n_inputs = 0_u64;
        while Instant::now() < end {
            let seed = target.seeds[rng.usize(..target.seeds.len())].to_vec();
            let input = (0..rng.usize(1..8)).fold(seed, |bytes, _| mutated(&bytes, &mut rng));
            (target.run)(&input);
            n_inputs += 1;
        }
        println!("{:<18} {n_inputs:>9} inputs in {seconds} s", target.name);
    }
}
