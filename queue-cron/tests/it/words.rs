//! Expressions in words.

use queue_cron::Expression;

#[test]
fn an_expression_is_shown_in_words() {
    let table = [
        ("0 2 * * *", "at 02:00"),
        ("30 2,14 * * *", "at 02:30 and 14:30"),
        ("15 30 2 * * *", "at 02:30:15"),
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("0,15,30,45 * * * *", "every 15 minutes"),
        ("*/10 * * * * *", "every 10 seconds"),
        ("* * * * * *", "every second"),
        ("@hourly", "every hour"),
        ("0 */2 * * *", "every 2 hours"),
        ("30 * * * *", "at minute 30 of every hour"),
        ("10,50 */3 * * *", "at minutes 10 and 50 of every 3rd hour"),
        ("*/15 9-17 * * MON-FRI", "every 15 minutes of hours 9 to 17 on Monday to Friday"),
        ("5 * 9-17 * * *", "at second 5 of hours 9 to 17"),
        ("0 3 * * MON", "at 03:00 on Monday"),
        ("0 3 * * 0,6", "at 03:00 on Sunday and Saturday"),
        ("0 0 1,15 * *", "at 00:00 on days 1 and 15 of the month"),
        ("0 0 */2 * *", "at 00:00 on every 2nd day of the month"),
        ("0 0 L * *", "at 00:00 on the last day of the month"),
        ("0 0 LW * *", "at 00:00 on the last weekday of the month"),
        ("0 0 15W * *", "at 00:00 on the weekday nearest to day 15 of the month"),
        ("0 0 * * 5L", "at 00:00 on the last Friday of the month"),
        ("0 0 * * 5#2", "at 00:00 on the 2nd Friday of the month"),
        ("0 0 13 * FRI", "at 00:00 on day 13 of the month or on Friday"),
        ("0 0 1 1 *", "at 00:00 on day 1 of the month in January"),
        ("0 0 1 1-3,7 *", "at 00:00 on day 1 of the month in January to March and July"),
    ];

    for (text, words) in table {
        assert_eq!(text.parse::<Expression>().unwrap().words(), words, "{text}");
    }
}
