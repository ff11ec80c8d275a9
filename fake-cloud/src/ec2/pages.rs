//! Long lists come in pages: `MaxResults` and `NextToken`.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::errors::Fault;
use super::params::Params;
use crate::model::{Record, Table};

/// A thing's place in a list that may change between two pages: whether it is in the list's second
/// part, and its number there. Things do not change places.
pub(crate) type Place = (bool, u64);

/// The page that a request asks for.
#[derive(Debug)]
pub(crate) struct Page {
    max: usize,
    after: Option<Place>,
}

impl Page {
    /// Reads which page is wanted; `named` is the parameter that names things one by one, and
    /// makes no sense together with pages.
    pub(crate) fn read(params: &Params, named: &str) -> Result<Self, Fault> {
        Self::of_size(params, named, 5..=1000)
    }

    /// The same where pages may be of other sizes.
    pub(crate) fn of_size(
        params: &Params,
        named: &str,
        sizes: RangeInclusive<i64>,
    ) -> Result<Self, Fault> {
        let max = match params.number("MaxResults")? {
            None => usize::MAX,
            Some(_) if !params.list(named).is_empty() => {
                return Err(Fault::combination(format!(
                    "The parameter {named} cannot be used with the parameter MaxResults"
                )));
            }
            Some(max) if sizes.contains(&max) => usize::try_from(max).unwrap_or(usize::MAX),
            Some(max) => {
                return Err(Fault::invalid_value(format!(
                    "Value ( {max} ) for parameter maxResults is invalid. Expecting a value \
                     from {} to {}.",
                    sizes.start(),
                    sizes.end()
                )));
            }
        };
        let invalid = || Fault::new("InvalidNextToken", "The token is not valid");
        let after = params.text("NextToken").map(|token| read_token(token).ok_or_else(invalid));
        Ok(Self { max, after: after.transpose()? })
    }

    /// After which place it begins, if it is not the first.
    pub(crate) fn after(&self) -> Option<Place> {
        self.after
    }

    /// As [`Page::of`], for records of a table in its order.
    pub(crate) fn in_order<'a, R: Record>(
        &self,
        table: &Table<R>,
        records: impl Iterator<Item = &'a R>,
    ) -> (Vec<&'a R>, Option<String>) {
        self.of(records.map(|record| ((false, table.sequence(record.id())), record)))
    }

    /// The things of the page, and the token for the next one if there is one.
    pub(crate) fn of<T>(
        &self,
        things: impl Iterator<Item = (Place, T)>,
    ) -> (Vec<T>, Option<String>) {
        let mut things =
            things.skip_while(|(place, _)| self.after.is_some_and(|after| *place <= after));
        let mut page = Vec::new();
        let mut last = None;
        for (place, thing) in things.by_ref().take(self.max) {
            page.push(thing);
            last = Some(place);
        }
        let more = things.next().is_some();
        (page, last.filter(|_| more).map(token))
    }
}

fn token((second, number): Place) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}:{number}", u8::from(second)))
}

fn read_token(token: &str) -> Option<Place> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (second, number) = text.split_once(':')?;
    Some((second == "1", number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Result<Page, Fault> {
        Page::read(&Params::of(crate::query::parse(query)), "InstanceId")
    }

    #[test]
    fn pages_follow_each_other_even_when_things_go() {
        let things = || (1..=12_u64).map(|number| ((number > 10, number), number));
        let (first, token) = page("MaxResults=5").unwrap().of(things());
        assert_eq!(first, [1, 2, 3, 4, 5]);
        let query = format!("MaxResults=6&NextToken={}", token.unwrap());
        let without_five = things().filter(|(_, number)| *number != 5);
        let (second, token) = page(&query).unwrap().of(without_five);
        assert_eq!(second, [6, 7, 8, 9, 10, 11]);
        let query = format!("MaxResults=5&NextToken={}", token.unwrap());
        assert_eq!(page(&query).unwrap().of(things()), (vec![12], None));
        assert_eq!(page("").unwrap().of(things()).0.len(), 12);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert_eq!(page("MaxResults=4").unwrap_err().code, "InvalidParameterValue");
        assert_eq!(page("NextToken=x").unwrap_err().code, "InvalidNextToken");
        let both = page("MaxResults=5&InstanceId.1=i-1").unwrap_err();
        assert_eq!(both.code, "InvalidParameterCombination");
    }
}
