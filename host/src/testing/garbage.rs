//! What nobody who follows an authentication method would send.

use std::sync::Arc;

use crate::hooks::{Advance, Trial, Unanswered};
use crate::types::ClientInfo;

/// Bytes of the longest data: as long as an AUTH packet may carry.
const LONGEST: usize = 65_535;

/// Answers to challenges of one exchange: a plugin that goes on asking is one that has not been convinced.
const ANSWERS_MAX: usize = 4;

/// Begins exchanges with garbage, each kind in turn, and answers challenges with each kind. Gives the first answer that lets
/// the client in, else that it was denied.
pub(super) fn put(trial: &mut Trial, client: &Arc<ClientInfo>, method: &str) -> Result<Advance, Unanswered> {
    let kinds = kinds();
    for first in &kinds {
        for answer in &kinds {
            let mut advance = trial.start(client, method, first.as_deref())?;
            for _ in 0..ANSWERS_MAX {
                match advance {
                    Advance::Challenge(_) => advance = trial.proceed(answer.as_deref())?,
                    Advance::Proven(_) => return Ok(advance),
                    Advance::Denied(_) => break,
                }
            }
        }
    }
    Ok(Advance::Denied(None))
}

fn kinds() -> Vec<Option<Vec<u8>>> {
    let mut kinds = vec![None];
    let texts: [&[u8]; 8] =
        [b"", b"\0", b"=", b",,,,,", b"n,,n=,r=", b"n,,n=nobody-of-this-name,r=0", b"{}", b"\xff\xfe\xc0\x80"];
    kinds.extend(texts.map(|text| Some(text.to_vec())));
    kinds.push(Some((0..=u8::MAX).collect()));
    kinds.push(Some(vec![b'a'; LONGEST]));
    kinds
}
