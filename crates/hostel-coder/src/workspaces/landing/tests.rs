//! Arrivals that are cut off anywhere, and taken back.

use super::*;
use crate::workspaces::ending::tests::{Known, with_file};

const ARRIVAL: u32 = 7;

/// A workspace that is there, if so, and one that arrives: with other parts each.
fn arriving(workspaces: &Workspaces, is_there: bool) -> (AgentId, PathBuf, Landing) {
    let agent = AgentId::new("coder-agent", "a");
    let place = workspaces.directory_of(&agent);
    if is_there {
        with_file(workspaces, "a");
    }
    let made = workspaces.new_below(ARRIVING).unwrap();
    for part in ["files", "git"] {
        fs::create_dir(made.join(part)).unwrap();
        fs::write(made.join(part).join("file"), "new").unwrap();
    }
    let landing = Landing::begin(workspaces, &agent, &made, ARRIVAL).unwrap();
    (agent, place, landing)
}

fn content(place: &Path) -> [Option<String>; 3] {
    Kept::at(place).each().map(|part| fs::read_to_string(part.join("file")).ok())
}

fn within(dir: &Path) -> [Option<String>; 3] {
    Kept::within(dir).each().map(|part| fs::read_to_string(part.join("file")).ok())
}

fn words<const N: usize>(all: [Option<&str>; N]) -> [Option<String>; N] {
    all.map(|one| one.map(str::to_owned))
}

/// What taking that back renames, in its order.
fn back(
    workspaces: &Workspaces,
    landing: &Landing,
    done: &[(PathBuf, PathBuf)],
    keep: bool,
) -> Vec<(PathBuf, PathBuf)> {
    let (made, kept) = (landing.made_dir(workspaces), landing.kept_dir(workspaces));
    let (out, aside): (Vec<_>, Vec<_>) = done.iter().partition(|(from, _)| from.starts_with(&made));
    let to = |from: &Path| if keep { kept.join(from.file_name().unwrap()) } else { from.to_owned() };
    let out = out.iter().map(|(from, there)| (there.clone(), to(from)));
    out.chain(aside.iter().map(|(there, aside)| (aside.clone(), there.clone()))).collect()
}

#[test]
fn where_there_is_no_room_for_what_is_kept_the_record_stays_and_the_next_try_keeps_it() {
    for was_there in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let workspaces = Workspaces::new(dir.path());
        let (agent, place, landing) = arriving(&workspaces, was_there);
        landing.go(&workspaces).unwrap();
        // A directory cannot be made there.
        let no_room = landing.kept_dir(&workspaces);
        fs::create_dir_all(no_room.parent().unwrap()).unwrap();
        fs::write(&no_room, "").unwrap();
        landing.take_back(&workspaces, true).unwrap_err();
        assert_eq!(content(&place), words([Some("new"), None, Some("new")]), "nothing was moved");
        let known = Known { there: vec![agent], arrival: 3 };
        workspaces.settle(&known);
        assert!(is_there(landing.record(&workspaces)), "the next start could not either");

        fs::remove_file(&no_room).unwrap();
        workspaces.settle(&known);
        assert!(!is_there(landing.record(&workspaces)));
        let before = if was_there { [Some("a"), Some("a"), None] } else { [None; 3] };
        assert_eq!(content(&place), words(before));
        let [kept] = &workspaces.replaced()[..] else { panic!("what came is kept, and nothing else") };
        assert_eq!(fs::read_to_string(kept.join("files/file")).unwrap(), "new");
        assert_eq!(fs::read_to_string(kept.join("git/file")).unwrap(), "new");
    }
}

#[test]
fn an_import_that_is_cut_off_anywhere_before_the_agent_arrived_leaves_its_files_as_they_were() {
    for (was_there, before) in [(true, words([Some("a"), Some("a"), None])), (false, words([None, None, None]))] {
        let moves = 2 + 2 * usize::from(was_there);
        for cut in 0..=moves {
            for again in 0..=moves {
                let dir = tempfile::tempdir().unwrap();
                let workspaces = Workspaces::new(dir.path());
                let (agent, place, landing) = arriving(&workspaces, was_there);
                let all = landing.moves(&workspaces);
                assert_eq!(all.len(), moves);
                all[..cut].iter().for_each(|(from, to)| fs::rename(from, to).unwrap());
                // And taking it back is cut off as well.
                back(&workspaces, &landing, &all[..cut], was_there).iter().take(again).for_each(|(from, to)| {
                    fs::create_dir_all(to.parent().unwrap()).unwrap();
                    fs::rename(from, to).unwrap();
                });

                let known = Known { there: was_there.then(|| agent.clone()).into_iter().collect(), arrival: 3 };
                workspaces.settle(&known);
                assert_eq!(content(&place), before, "{was_there} {cut} {again}");
                assert!(super::super::ending::entries(&dir.path().join(LANDING)).is_empty());
                let aside = workspaces.replaced();
                let has_arrived = cut > moves - 2;
                assert_eq!(aside.len(), usize::from(was_there && has_arrived), "{was_there} {cut} {again}");
                for dir in aside {
                    assert_eq!(
                        within(&dir),
                        words([Some("new"), None, Some("new")]),
                        "all of what came is kept, however far it came"
                    );
                }
                workspaces.settle(&known);
                assert_eq!(content(&place), before);
            }
        }
    }
}

/// What the agent makes anew where it finds nothing.
fn made_anew(place: &Path) {
    for part in [0, 2].map(|part| Kept::at(place).each()[part].to_owned()) {
        fs::create_dir(&part).unwrap();
        fs::write(part.join("file"), "since").unwrap();
    }
}

#[test]
fn what_was_made_in_its_place_since_is_kept_and_in_nobodys_way() {
    for done in 1..=4 {
        for cut in 0..=2 {
            [true, false].into_iter().for_each(|keep| taken_back_with_files_made_since(done, cut, keep));
        }
    }
}

fn taken_back_with_files_made_since(done: usize, cut: usize, keep: bool) {
    let dir = tempfile::tempdir().unwrap();
    let workspaces = Workspaces::new(dir.path());
    let (_, place, landing) = arriving(&workspaces, true);
    landing.moves(&workspaces)[..done].iter().for_each(|(from, to)| fs::rename(from, to).unwrap());
    // Taking it back fails when what came is out of the way, and the agent goes on with what it finds.
    landing.bring_out(&workspaces, keep).unwrap();
    made_anew(&place);
    // And making way for what comes back is cut off as well.
    let out = Kept::within(&workspaces.new_below(REPLACED).unwrap());
    for part in landing.made_since(&workspaces).into_iter().take(cut) {
        fs::rename(Kept::at(&place).each()[part], out.each()[part]).unwrap();
    }

    landing.take_back(&workspaces, keep).unwrap();
    assert_eq!(content(&place), words([Some("a"), Some("a"), None]), "{done} {keep} {cut}");
    assert!(!is_there(landing.record(&workspaces)));
    let mut kept: Vec<_> = workspaces.replaced().iter().flat_map(|dir| within(dir)).flatten().collect();
    kept.sort();
    let came = if keep && done > 2 { 2 } else { 0 };
    assert_eq!(kept, [&["new"; 2][..came], &["since"; 2]].concat(), "{done} {keep} {cut}");
}

#[test]
fn an_empty_directory_that_was_made_since_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let workspaces = Workspaces::new(dir.path());
    let (_, place, landing) = arriving(&workspaces, true);
    landing.go(&workspaces).unwrap();
    landing.bring_out(&workspaces, false).unwrap();
    fs::create_dir(&place).unwrap();
    landing.take_back(&workspaces, false).unwrap();
    assert_eq!(content(&place), words([Some("a"), Some("a"), None]));
    assert!(workspaces.replaced().is_empty());
}

#[test]
fn what_came_back_is_not_taken_for_what_came_although_that_was_deleted_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let workspaces = Workspaces::new(dir.path());
    let (_, place, landing) = arriving(&workspaces, true);
    landing.go(&workspaces).unwrap();
    landing.bring_out(&workspaces, true).unwrap();
    let (files, back) = pairs(&landing.aside(&workspaces).unwrap(), &Kept::at(&place)).next().unwrap();
    fs::rename(files, back).unwrap();
    fs::remove_dir_all(landing.kept_dir(&workspaces)).unwrap();
    assert_eq!(landing.take_back(&workspaces, true).unwrap(), None);
    assert_eq!(content(&place), words([Some("a"), Some("a"), None]));
}

#[test]
fn an_import_that_is_cut_off_after_the_agent_arrived_is_finished_and_the_old_files_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let workspaces = Workspaces::new(dir.path());
    let (agent, place, landing) = arriving(&workspaces, true);
    landing.go(&workspaces).unwrap();
    let known = Known { there: vec![agent], arrival: ARRIVAL };
    for _twice in 0..2 {
        workspaces.settle(&known);
        assert_eq!(content(&place), words([Some("new"), None, Some("new")]));
        let [aside] = &workspaces.replaced()[..] else { panic!("one is put aside") };
        assert_eq!(fs::read_to_string(aside.join("files/file")).unwrap(), "a");
        assert!(super::super::ending::entries(&dir.path().join(LANDING)).is_empty());
    }
}

#[test]
fn another_import_waits_until_the_one_before_it_is_put_right() {
    let dir = tempfile::tempdir().unwrap();
    let workspaces = Workspaces::new(dir.path());
    let (agent, place, landing) = arriving(&workspaces, true);
    landing.go(&workspaces).unwrap();
    let made = workspaces.new_below(ARRIVING).unwrap();
    let refused = Landing::begin(&workspaces, &agent, &made, 8).unwrap_err();
    assert!(refused.to_string().contains("restart the server"), "{refused}");
    workspaces.settle(&Known { there: vec![agent], arrival: 0 });
    assert_eq!(content(&place), words([Some("a"), Some("a"), None]));
}

#[test]
fn a_record_that_was_not_written_to_its_end_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let workspaces = Workspaces::new(dir.path());
    let (agent, place, landing) = arriving(&workspaces, true);
    fs::write(landing.record(&workspaces), "{\"agent\":[\"cod").unwrap();
    workspaces.settle(&Known { there: vec![agent], arrival: 0 });
    assert_eq!(content(&place), words([Some("a"), Some("a"), None]));
    assert!(workspaces.replaced().is_empty());
    assert!(super::super::ending::entries(&dir.path().join(LANDING)).is_empty());
}
