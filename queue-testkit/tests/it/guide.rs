//! The programs of docs/testing.md that other tests of the guide do not run, because they are themselves tests.

#[expect(unreachable_pub, reason = "a reader copies it to a library")]
mod crashes;
#[expect(unreachable_pub, reason = "a reader copies it to a library")]
mod program;

/// A reader copies the text of the guide, so it must be the programs that run here.
#[test]
fn the_guide_has_the_programs_word_for_word() {
    for file in [include_str!("guide/program.rs"), include_str!("guide/crashes.rs")] {
        let (about, program) = file.split_once("\n\n").expect("a line about the file");

        assert!(
            include_str!("../../../docs/testing.md").contains(program),
            "copy this program to the guide: {about}"
        );
    }
}
