//! `show_notice`: a notice of the cloud as received, without its signature.

use serde_json::Value;

use super::notices::NoticeRow;
use super::prelude::*;
use protocol::types::NoticeId;

/// The replacement of a signature.
const BLANK: &str = "***";

pub struct ShowNotice {
    stream: StreamId,
    id: NoticeId,
}

#[derive(Serialize)]
pub struct Reply {
    #[serde(flatten)]
    row: NoticeRow,
    /// 1 if the notice was received after its expiry, else 0.
    late: u8,
    body: String,
}

impl Command for ShowNotice {
    const NAMES: Names = Names::rest("show_notice");
    type Caller = Operator;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        Ok(Self { stream: params.required("streamid")?, id: params.required("id")? })
    }

    async fn run(self, _: Operator, app: &App) -> Result<Reply, Error> {
        let record = app.table.notice(&self.stream, self.id.as_str()).await?.ok_or(Error::NotFound("notice"))?;
        let body = without_signature(&record.notice.body);
        Ok(Reply { row: NoticeRow::of(&record, &record.status), late: u8::from(record.notice.is_late), body })
    }
}

/// The body of a notice without its signature, which could be used to forge notices.
fn without_signature(body: &str) -> String {
    let sign_in = |body: &str| {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        body["sign"].as_str().filter(|sign| !sign.is_empty()).map(str::to_owned)
    };
    let Some(sign) = sign_in(body) else { return body.to_owned() };
    let blanked = body.replace(&sign, BLANK);
    if sign_in(&blanked).as_deref() != Some(&sign) {
        return blanked;
    }
    // The signature is spelled with JSON escapes.
    let mut fields: Value = serde_json::from_str(body).unwrap_or_default();
    fields["sign"] = BLANK.into();
    fields.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_not_shown_however_it_is_spelled() {
        assert_eq!(without_signature(r#"{"t": 1,"sign":"ab12","x":"y"}"#), r#"{"t": 1,"sign":"***","x":"y"}"#);
        assert_eq!(without_signature(r#"{"sign":"\u0061b12","t":1}"#), r#"{"sign":"***","t":1}"#);
        assert_eq!(without_signature(r#"{"t":1}"#), r#"{"t":1}"#);
        assert_eq!(without_signature("no notice"), "no notice");
    }
}
