//! What the page of the gate says and does where no script runs: it waits, and asks again by itself.

use super::languages::Words;
use crate::gate::TicketOffer;

/// After how many seconds a page asks again for which there was no room, and how many more at the most, so that not all
/// come back together.
const CROWDED_RETRY_SECONDS: u32 = 10;
const CROWDED_RETRY_JITTER_SECONDS: u32 = 10;
/// Beyond, people count in minutes.
const SAID_IN_SECONDS_MAX: u32 = 90;

/// The parts of the page for a browser without script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoScript {
    said: Said,
    /// Seconds until the page asks again by itself.
    seconds: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// Only the calculation opens the page.
    NeedsScript,
    /// The page opens by itself.
    Waits,
    /// There was no room for a ticket that is good.
    Crowded,
    /// A form met the gate: it has to be sent again.
    SendAgain,
}

impl NoScript {
    /// `repeatable`: the page may be fetched again by itself, which a form must not be. `jitter` is random.
    pub(super) const fn new(offer: Option<&TicketOffer>, repeatable: bool, jitter: [u8; 1]) -> Self {
        let (said, seconds) = match offer {
            None => (Said::NeedsScript, 0),
            Some(TicketOffer::New { wait_seconds, .. }) => (Said::Waits, *wait_seconds),
            Some(TicketOffer::Wait { seconds }) => (Said::Waits, *seconds),
            Some(TicketOffer::Crowded) => {
                (Said::Crowded, CROWDED_RETRY_SECONDS + jitter[0] as u32 % (CROWDED_RETRY_JITTER_SECONDS + 1))
            }
        };
        match said {
            Said::Waits | Said::Crowded if !repeatable => Self { said: Said::SendAgain, seconds },
            _ => Self { said, seconds },
        }
    }

    /// What goes into the head: the page's own script, where one runs, does not see it.
    pub(super) fn refresh(self) -> String {
        match self.said {
            Said::NeedsScript | Said::SendAgain => String::new(),
            Said::Waits | Said::Crowded => format!("<noscript>{}</noscript>", self.meta()),
        }
    }

    /// What goes between the `noscript` tags of the page.
    pub(super) fn text(self, words: &Words) -> String {
        let said = match self.said {
            Said::NeedsScript => &words.server_noscript_needed,
            Said::Waits => &words.server_noscript_waits,
            Said::Crowded => &words.server_noscript_crowded,
            Said::SendAgain => &words.server_noscript_form,
        };
        let said = said.as_str().replace("{time}", &time(self.seconds, words));
        match self.said {
            Said::NeedsScript | Said::SendAgain => format!("<p>{said}</p>"),
            Said::Waits | Said::Crowded => {
                format!("<p>{said}</p><p><a id=\"open\" href=\"\">{}</a></p>", words.retry)
            }
        }
    }

    /// The same for the small page, which has no room for words: two of them are in English.
    pub(super) fn short_text(self, words: &Words) -> String {
        match self.said {
            Said::NeedsScript => "<p lang=en>Please allow JavaScript and reload.".into(),
            Said::SendAgain => "<p lang=en>Please go back, wait and send it again.".into(),
            Said::Waits | Said::Crowded => format!("{}{}", self.meta(), words.title),
        }
    }

    fn meta(self) -> String {
        format!("<meta http-equiv=refresh content={}>", self.seconds)
    }
}

/// How long, as people say it: never one, which many languages say in other words than two.
fn time(seconds: u32, words: &Words) -> String {
    let (said, number) = match seconds {
        0..=SAID_IN_SECONDS_MAX => (&words.server_seconds, seconds.max(2)),
        _ => (&words.server_minutes, seconds.div_ceil(60)),
    };
    said.as_str().replace("{n}", &number.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::languages::english;
    use super::*;

    #[test]
    fn a_page_asks_again_by_itself_and_a_form_never_does() {
        let wait = TicketOffer::Wait { seconds: 15 };
        let page = NoScript::new(Some(&wait), true, [0]);
        assert_eq!(page.refresh(), "<noscript><meta http-equiv=refresh content=15></noscript>");
        assert!(page.text(&english().words).contains("in about 15 seconds"), "{}", page.text(&english().words));
        let form = NoScript::new(Some(&wait), false, [0]);
        assert_eq!(form.refresh(), "");
        assert!(
            form.text(&english().words).contains("go back to your form")
                && !form.short_text(&english().words).contains("refresh")
        );
        let closed = NoScript::new(None, true, [0]);
        assert_eq!((closed.refresh().as_str(), closed.said), ("", Said::NeedsScript));
    }

    #[test]
    fn those_for_whom_there_was_no_room_do_not_come_back_together() {
        let seconds = |jitter| NoScript::new(Some(&TicketOffer::Crowded), true, [jitter]).seconds;
        assert_eq!([0, 5, 10, 11, 255].map(seconds), [10, 15, 20, 10, 12]);
    }

    #[test]
    fn a_long_wait_is_said_in_minutes() {
        assert_eq!(
            [1, 2, 90, 91, 120, 121].map(|seconds| time(seconds, &english().words)),
            ["2 seconds", "2 seconds", "90 seconds", "2 minutes", "2 minutes", "3 minutes"]
        );
    }
}
