//! Who or what is below whom: teams and the chain of command, of any depth, circles left out.

use std::collections::{BTreeSet, HashMap};

/// Most circles that are told one by one.
const MOST_TOLD: usize = 20;

/// Who or what is directly below each.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    children: HashMap<String, Vec<String>>,
}

impl Tree {
    /// From pairs of node and what is above it. The steps of a circle are left out, so that nobody in one gets
    /// what is above them.
    pub(super) fn new(pairs: impl Iterator<Item = (String, String)>, what: &str, odd: &mut Vec<String>) -> Self {
        let pairs: BTreeSet<(String, String)> = pairs.collect();
        let circles = Circles::of(&pairs);
        let mut children: HashMap<String, Vec<String>> = HashMap::new();
        let mut told = 0;
        for (node, parent) in &pairs {
            if circles.hold(node, parent) {
                told += 1;
                if told <= MOST_TOLD {
                    odd.push(format!(
                        "{what} {node} comes back to itself through {parent}: this step is left out"
                    ));
                }
            } else {
                children.entry(parent.clone()).or_default().push(node.clone());
            }
        }
        if told > MOST_TOLD {
            odd.push(format!("{} more steps like this are left out", told - MOST_TOLD));
        }
        Self { children }
    }

    /// Everything below, in order, the node itself left out.
    pub(super) fn below(&self, node: &str) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = vec![node];
        while let Some(at) = open.pop() {
            for child in self.children.get(at).into_iter().flatten() {
                if child != node && seen.insert(child.as_str()) {
                    open.push(child);
                }
            }
        }
        seen.into_iter().map(str::to_owned).collect()
    }
}

/// Which nodes reach each other: each is in one circle, most in one of their own. One look at every pair, whatever
/// the depth.
struct Circles<'p> {
    of: HashMap<&'p str, usize>,
}

impl<'p> Circles<'p> {
    fn of(pairs: &'p BTreeSet<(String, String)>) -> Self {
        let mut up: HashMap<&str, Vec<&str>> = HashMap::new();
        let mut down: HashMap<&str, Vec<&str>> = HashMap::new();
        for (node, parent) in pairs {
            up.entry(node).or_default().push(parent);
            down.entry(parent).or_default().push(node);
        }
        // Kosaraju: in the order in which the ways up are left, backwards, along the ways down
        let mut seen: HashMap<&str, ()> = HashMap::new();
        let mut left: Vec<&str> = Vec::new();
        for (node, _) in pairs {
            let mut open: Vec<(&str, usize)> = Vec::new();
            if seen.insert(node, ()).is_none() {
                open.push((node, 0));
            }
            while let Some((at, next)) = open.last_mut() {
                let above = up.get(*at).and_then(|above| above.get(*next)).copied();
                *next += 1;
                match above {
                    Some(above) if seen.insert(above, ()).is_none() => open.push((above, 0)),
                    Some(_) => {}
                    None => {
                        left.push(at);
                        open.pop();
                    }
                }
            }
        }
        let mut of: HashMap<&str, usize> = HashMap::new();
        for (number, root) in left.iter().rev().enumerate() {
            if of.contains_key(root) {
                continue;
            }
            let mut open = vec![*root];
            of.insert(root, number);
            while let Some(at) = open.pop() {
                for below in down.get(at).into_iter().flatten() {
                    if !of.contains_key(below) {
                        of.insert(below, number);
                        open.push(below);
                    }
                }
            }
        }
        Self { of }
    }

    fn hold(&self, node: &str, parent: &str) -> bool {
        let circle = |of: &str| self.of.get(of);
        node == parent || circle(node).is_some() && circle(node) == circle(parent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(pairs: &[(&str, &str)]) -> (Tree, Vec<String>) {
        let mut odd = Vec::new();
        let pairs = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
        (Tree::new(pairs, "team", &mut odd), odd)
    }

    #[test]
    fn circles_are_left_out_and_what_hangs_on_them_stays() {
        let (tree, odd) = tree(&[
            ("a", "b"),
            ("b", "c"),
            ("c", "a"),
            ("d", "c"),
            ("e", "d"),
            ("f", "f"),
            ("c", "top"),
        ]);
        assert_eq!(odd.len(), 4, "{odd:?}");
        assert_eq!(tree.below("c"), ["d", "e"]);
        assert_eq!(tree.below("top"), ["c", "d", "e"]);
        assert_eq!(tree.below("a"), [""; 0]);
        assert_eq!(tree.below("f"), [""; 0]);
    }

    #[test]
    fn any_depth_and_one_huge_circle() {
        let name = |n: usize| format!("{n:06}");
        let mut odd = Vec::new();
        let deep = Tree::new((1..50_000).map(|n| (name(n), name(n - 1))), "team", &mut odd);
        assert!(odd.is_empty());
        assert_eq!(deep.below(&name(0)).len(), 49_999);
        let ring = (0..50_000).map(|n| (name(n), name((n + 1) % 50_000)));
        let ring = Tree::new(ring, "team", &mut odd);
        assert_eq!(odd.len(), MOST_TOLD + 1);
        assert_eq!(ring.below(&name(0)).len(), 0);
    }
}
