//! A text that is no expression is refused with its field, the part that is wrong, and what to write.

use queue_cron::{CronField, Expression};

#[test]
fn a_mistake_is_underlined_and_the_message_says_what_to_write() {
    let table = [
        ("0 25 * * *", Some(CronField::Hour), "  ^^", "`25` is no hour: write 0 to 23"),
        ("60 * * * *", Some(CronField::Minute), "^^", "`60` is no minute: write 0 to 59"),
        ("0 0 0 * *", Some(CronField::Day), "    ^", "`0` is no day of the month: write 1 to 31"),
        (
            "0 0 * FOO *",
            Some(CronField::Month),
            "      ^^^",
            "`FOO` is no month: write 1 to 12, or `JAN` to `DEC`",
        ),
        (
            "0 0 * * 1,8",
            Some(CronField::Weekday),
            "          ^",
            "`8` is no day of the week: write 0 to 7, or `SUN` to `SAT`",
        ),
        ("0 9-5 * * *", Some(CronField::Hour), "  ^^^", "the range `9-5` ends before it begins"),
        (
            "*/0 * * * *",
            Some(CronField::Minute),
            "  ^",
            "`0` is no step of the minute: write 1 to 59 behind the `/`",
        ),
        ("0 1,,2 * * *", Some(CronField::Hour), "    ^", "the hour lacks a value: write 0 to 23"),
        ("0 -1 * * *", Some(CronField::Hour), "  ^", "the hour lacks a value"),
        ("0 0 * * 5#6", Some(CronField::Weekday), "          ^", "the number behind `#` must be 1 to 5"),
        ("0 0 * * L", Some(CronField::Weekday), "        ^", "write `5L` for the last Friday"),
        ("0 2 * *", None, "^^^^^^^", "4 fields, and an expression has 5, or 6 with seconds in front"),
        ("", None, "^", "the expression is empty"),
        ("@fortnightly", None, "^^^^^^^^^^^^", "`@fortnightly` is no short form: write `@hourly`"),
        ("0 0 31 2 *", None, "^^^^^^^^^^", "no date matches the expression"),
        ("0 0 L-1 * *", Some(CronField::Day), "    ^", "`L` is no day of the month"),
        ("0 +2 * * *", Some(CronField::Hour), "  ^^", "`+2` is no hour"),
        ("0 ٢ * * *", Some(CronField::Hour), "  ^", "is no hour"),
    ];

    for (text, field, line, message) in table {
        let error = text.parse::<Expression>().expect_err(text);

        assert_eq!(error.field(), field, "{text}");
        assert_eq!(error.marked(), format!("{text}\n{line}"));
        assert!(error.to_string().contains(message), "{text}: {error}");
    }
}
