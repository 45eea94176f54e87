//! Its files: that nobody changes them unnoticed, that they follow each other, that old ones go as configured.

use std::fs;
use std::path::{Path, PathBuf};

use shortlist_server::Secret;
use shortlist_server::audit::{Report, verify};

use super::{audited, check, decisions, files, folder, is_good, kinds, over, records, secret, wait_for_the_end};
use crate::harness::{ALICE, EVERYTHING, SECRET, Server, tool};

async fn ask(server: &Server, n: usize) {
    for place in 0..n {
        server.get(&ALICE, &format!("/v1/tools/m://a.b{}", place % 3)).await;
    }
}

/// A log in several files, written by a real server that has ended.
async fn log(n: usize) -> (tempfile::TempDir, PathBuf) {
    let server = audited(vec![tool("m://a.b1", "c")], EVERYTHING, |config| config.rotate_bytes = 4_000);
    ask(&server, n).await;
    let folder = folder(&server);
    let Server { home, state, app } = server;
    drop((state, app));
    wait_for_the_end(&folder);
    is_good(&folder);
    assert!(files(&folder).len() > 2);
    (home, folder)
}

fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), to.path().join(entry.file_name())).expect("it is copied");
    }
    to
}

#[tokio::test]
async fn whatever_is_changed_in_the_files_is_noticed_and_named() {
    let (_home, log) = log(40).await;
    let mut rng = fastrand::Rng::with_seed(9);
    let n_lines: Vec<usize> =
        files(&log).iter().map(|file| fs::read_to_string(file).expect("UTF-8").lines().count()).collect();
    for round in 0..400 {
        let copy = copy(&log);
        let files = files(copy.path());
        let which = rng.usize(..files.len());
        let path = &files[which];
        let mut lines: Vec<Vec<u8>> =
            fs::read(path).expect("a file").split_inclusive(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
        let line = rng.usize(..lines.len());
        let is_last = which + 1 == files.len() && line + 1 == lines.len();
        // Where the first bad line must be named, if it is sure to be this one.
        let mut named = Some(line + 1);
        let what = rng.u8(..7);
        match what {
            0 => {
                let place = rng.usize(..lines[line].len());
                lines[line][place] ^= 1 << rng.u8(..8);
            }
            1 => {
                // Of a file's first line, the next one is named; of its last, the next file's first.
                lines.remove(line);
                named = (line < lines.len()).then_some(line + 1);
            }
            2 => {
                let copied = lines[line].clone();
                lines.insert(line, copied);
                named = Some(line + 2);
            }
            3 if lines.len() > 1 => {
                let other = (line + rng.usize(1..lines.len())) % lines.len();
                lines.swap(line, other);
                named = Some(line.min(other) + 1);
            }
            4 => {
                lines.insert(line, b"{\"seq\":1}\n".to_vec());
            }
            5 => {
                let keep = rng.usize(..lines[line].len());
                lines[line].truncate(keep);
                named = None;
            }
            _ => {
                fs::remove_file(path).expect("it is there");
                lines.clear();
                named = None;
            }
        }
        if what < 6 {
            fs::write(path, lines.concat()).expect("it is written");
        }
        let report = verify(copy.path(), &[secret()], &[]).expect("it can be read");
        assert!(report.bad.is_some(), "round {round}, change {what}, last {is_last}: unnoticed");
        let bad = report.bad.expect("asserted");
        if let Some(named) = named {
            assert_eq!(bad.file, path.file_name().expect("a name").to_string_lossy(), "round {round}, change {what}");
            assert_eq!(bad.line, named as u64, "round {round}, change {what}: {bad:?}");
        }
    }
    assert!(n_lines.iter().all(|&n| n > 1));
}

/// Makes the whole chain anew after a change, as somebody would who can write the files but has another secret, or none.
async fn made_anew(n: usize) -> (tempfile::TempDir, PathBuf) {
    let home = crate::harness::home(EVERYTHING);
    let config = shortlist_server::audit::AuditConfig::new(home.path().join("audit"));
    let other = Secret::new("the secret of somebody else").expect("long enough");
    let audit = shortlist_server::audit::Audit::start(config, &other).expect("nobody else writes it");
    let server = Server::over(home, |config| config.audit = Some(audit), crate::harness::embedder());
    ask(&server, n).await;
    let folder = folder(&server);
    let Server { home, state, app } = server;
    drop((state, app));
    (home, folder)
}

#[tokio::test]
async fn a_chain_that_was_made_anew_is_noticed_with_the_secret_or_by_an_anchor() {
    let (_home, folder) = made_anew(5).await;
    let with = |secrets: &[Secret], anchors: &[(u64, String)]| -> Report {
        verify(&folder, secrets, anchors).expect("it can be read")
    };
    let plain = with(&[], &[]);
    assert!(plain.is_good() && !plain.sealed, "its lines do fit each other");
    assert!(with(&[secret()], &[]).bad.expect("bad").reason.contains("sealed"));
    let other = Secret::new("the secret of somebody else").expect("long enough");
    assert!(with(&[secret(), other], &[]).is_good(), "a secret that was replaced is given beside the new one");
    let anchored = with(&[], &[(3, "ab".repeat(32))]);
    assert!(anchored.bad.expect("bad").reason.contains("anchor"));
    let beyond = with(&[], &[(99, "ab".repeat(32))]);
    assert!(beyond.bad.expect("bad").reason.contains("99"));
    assert!(with(&[], &[(plain.last_seq, plain.last_hash.clone())]).is_good());
}

#[tokio::test]
async fn an_end_that_was_cut_off_is_noticed_by_its_anchor_also_after_a_restart() {
    let (home, folder) = log(30).await;
    let all = files(&folder);
    fs::remove_file(&all[all.len() - 1]).expect("it is there");
    let lost = check(&folder).bad.expect("bad").reason;
    assert!(lost.contains("is known to have been"), "{lost}");
    // The next run does not begin the numbers again: the hole stays to be seen.
    let server = over(home, |_| {});
    ask(&server, 2).await;
    let reason = check(&folder).bad.expect("bad").reason;
    assert!(reason.contains("some are missing"), "{reason}");
}

#[tokio::test]
async fn full_files_are_followed_by_the_next_and_old_ones_go_as_configured() {
    let keep = |config: &mut shortlist_server::audit::AuditConfig| {
        config.rotate_bytes = 3_000;
        config.keep_files = Some(3);
    };
    let server = audited(vec![tool("m://a.b1", "c")], EVERYTHING, keep);
    ask(&server, 60).await;
    let there = files(&folder(&server));
    assert_eq!(there.len(), 3);
    for file in &there {
        assert!(fs::metadata(file).expect("a file").len() < 3_000 + 2_500, "one record more than full");
    }
    let report = check(&folder(&server));
    assert!(report.is_good() && report.first_seq > 1, "{report:?}");
    let removed = kinds(&folder(&server)).iter().filter(|&kind| kind == "removed").count();
    assert!(removed > 0);
    // Removed by somebody else, the same file is missed.
    fs::remove_file(&there[0]).expect("it is there");
    let reason = check(&folder(&server)).bad.expect("bad").reason;
    assert!(reason.contains("no record says"), "{reason}");
}

#[tokio::test]
async fn files_are_kept_for_their_days() {
    let days = |config: &mut shortlist_server::audit::AuditConfig| {
        config.rotate_bytes = 3_000;
        config.keep_days = Some(2);
    };
    let server = audited(vec![tool("m://a.b1", "c")], EVERYTHING, days);
    ask(&server, 30).await;
    let before = files(&folder(&server));
    assert!(before.len() > 3);
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3 * 24 * 60 * 60);
    for file in &before[..2] {
        fs::OpenOptions::new().append(true).open(file).and_then(|file| file.set_modified(old)).expect("it is ours");
    }
    ask(&server, 10).await;
    let after = files(&folder(&server));
    assert!(!after.contains(&before[0]) && !after.contains(&before[1]) && after.contains(&before[2]));
    assert!(check(&folder(&server)).is_good());
}

#[tokio::test]
async fn a_torn_end_is_put_aside_and_the_chain_goes_on() {
    let (mut home, folder) = log(16).await;
    let mut rng = fastrand::Rng::with_seed(5);
    for round in 0..20 {
        let last = files(&folder).pop().expect("one");
        let whole = fs::read(&last).expect("a file");
        let n_before = records(&folder).len();
        // Half of a line, zeros as some file systems leave them, or a last line without its newline.
        let torn = match round % 3 {
            0 => whole[..rng.usize(1..200).min(whole.len() - 1)].to_vec(),
            1 => vec![0; rng.usize(1..5_000)],
            _ => {
                let line = whole.split_inclusive(|&b| b == b'\n').next_back().expect("a line");
                line[..line.len() - 1].to_vec()
            }
        };
        fs::write(&last, [&whole[..], &torn].concat()).expect("it is written");
        assert!(check(&folder).bad.is_some());
        let server = over(home, |config| config.rotate_bytes = 4_000);
        ask(&server, 1).await;
        let Server { home: kept, state, app } = server;
        drop((state, app));
        wait_for_the_end(&folder);
        home = kept;
        is_good(&folder);
        let begin = &records(&folder)[n_before];
        assert_eq!((begin["kind"].as_str(), begin["ended_well"].as_bool()), (Some("begin"), Some(false)));
        assert_eq!(begin["torn_bytes"], torn.len());
        let aside = folder.join(begin["torn_file"].as_str().expect("a name"));
        assert_eq!(fs::read(aside).expect("it is kept"), torn);
    }
}

#[tokio::test]
async fn a_file_that_somebody_moves_or_replaces_swallows_nothing() {
    let server = audited(vec![tool("m://a.b1", "c")], EVERYTHING, |_| {});
    ask(&server, 2).await;
    let file = files(&folder(&server)).pop().expect("one");
    let aside = server.home.path().join("moved-away");
    fs::rename(&file, &aside).expect("it is moved");
    ask(&server, 2).await;
    assert_eq!(decisions(&folder(&server)).len(), 2, "they are where they belong");
    assert!(check(&folder(&server)).bad.is_some());
    fs::rename(&aside, &file).expect("it is moved back");
    is_good(&folder(&server));

    // Somebody else's line at the end is put aside.
    let last = files(&folder(&server)).pop().expect("one");
    let mut text = fs::read(&last).expect("a file");
    text.extend_from_slice(b"{\"seq\":7}\n");
    fs::write(&last, text).expect("it is written");
    ask(&server, 1).await;
    is_good(&folder(&server));
    assert_eq!(kinds(&folder(&server)).iter().filter(|&kind| kind == "gap").count(), 1, "and a record says so");
    assert!(!SECRET.is_empty());
}
