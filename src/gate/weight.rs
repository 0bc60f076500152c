//! How much memory a judgement takes.

use super::cache::Weigh;
use super::{Judged, Judgement, Read, RowLimit, Staged};
use crate::sql::verify::Verified;

fn strings(list: &[String]) -> usize {
    size_of_val(list) + list.iter().map(String::len).sum::<usize>()
}

impl Weigh for Judgement {
    fn bytes(&self) -> u64 {
        let statements = self.statements.iter().map(judged).sum::<usize>();
        let all = verified(&self.text) + statements;
        u64::try_from(all).unwrap_or(u64::MAX / 4)
    }
}

fn verified(text: &Verified) -> usize {
    size_of_val(text) + text.heap_bytes()
}

fn judged(judged: &Judged) -> usize {
    let staged = judged.staged.as_deref().map_or(0, staged);
    let reads = judged.reads.iter().map(read).sum::<usize>();
    let limit = judged.row_limit.as_ref().map_or(0, RowLimit::heap_bytes);
    size_of_val(judged) + size_of_val(judged.origins.as_slice()) + strings(&judged.notes) + reads + staged + limit
}

fn read(read: &Read) -> usize {
    let lists = [&read.columns, &read.masked, &read.searched];
    size_of_val(read) + read.relation.len() + lists.into_iter().map(|l| strings(l)).sum::<usize>()
}

fn staged(staged: &Staged) -> usize {
    let inner = usize::try_from(staged.insert.bytes()).unwrap_or(usize::MAX / 4);
    verified(&staged.create) + verified(&staged.drop) + inner + staged.place.len() + staged.table.len()
}
