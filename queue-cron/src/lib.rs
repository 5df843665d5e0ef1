//! Cron expressions: parsed, in words, and the times that match.
//!
//! The macro `#[background_job]` checks an expression with this crate when the program is compiled, and `queue-schedules` reads the
//! stored expression with it when the program runs. So both accept the same expressions. It has no dependencies, because each program
//! that uses the macro compiles it.
//!
//! It knows dates and times of a wall clock, and no time zones: `queue-schedules` adds those.
//!
//! ```
//! use queue_cron::{CivilTime, Expression};
//!
//! let weekdays: Expression = "30 9 * * MON-FRI".parse()?;
//! let friday = CivilTime::new(2026, 11, 27, 9, 30, 0).unwrap();
//!
//! assert_eq!(weekdays.next_after(friday), CivilTime::new(2026, 11, 30, 9, 30, 0));
//! assert_eq!(weekdays.words(), "at 09:30 on Monday to Friday");
//! # Ok::<(), queue_cron::CronError>(())
//! ```
//!
//! # The fields
//!
//! An expression has five fields, or six with seconds in front: `minute hour day month weekday`.
//!
//! | field | values | special |
//! | --- | --- | --- |
//! | second, minute | 0–59 | |
//! | hour | 0–23 | |
//! | day of the month | 1–31 | `L` the last day, `15W` the weekday nearest to the 15th, `LW` the last weekday |
//! | month | 1–12, `JAN`–`DEC` | |
//! | day of the week | 0–7, `SUN`–`SAT`; 0 and 7 are Sunday | `5L` the last Friday, `5#2` the second Friday |
//!
//! A field is `*`, a value, a range `1-5`, a step `*/15`, `10-40/10` or `5/15`, or a list of these with commas. `?` is `*`. The short
//! forms are `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly` and `@annually`.
//!
//! If both the day of the month and the day of the week are limited, a day matches if either of them does. A field that begins with
//! `*` does not count as limited, so `*/2` and a weekday must both match. This is the rule of Vixie cron.

mod civil;
mod days;
mod error;
mod expression;
mod field;
mod parse;
mod set;
mod words;

pub use civil::CivilTime;
pub use error::CronError;
pub use expression::Expression;
pub use field::CronField;
