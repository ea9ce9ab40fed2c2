//! From a control-flow graph to blocks and loops that nest, as wasm has them.
//!
//! A loop that is entered at more than one place, because the guest's code is so or because control may come from
//! outside to places within, gets a head of its own, a dispatcher: who enters says in a local where to go on. Ways that
//! stay within such a loop and do not lead back to its main head are not affected.

use friscy_lift_ir::cfg;

/// A block of the region, by its number, or a dispatcher, by numbers from there on.
pub(crate) type Node = usize;

/// What follows on what: branches lead to later items, or back to the heads of loops around.
pub(crate) struct Seq {
    pub(crate) items: Vec<Item>,
}

/// A part of a sequence, with how many parts before it there is the first that may branch to it, if any does.
pub(crate) struct Item {
    /// Where branches to it lead.
    pub(crate) head: Node,
    /// The place of the first item that may branch to it.
    pub(crate) first_from: Option<usize>,
    /// What is in a loop, if it is one.
    pub(crate) body: Option<Seq>,
}

/// A node that goes to one of several.
pub(crate) struct Dispatcher {
    /// Where it goes by the number in the local; the first one is also for what enters without setting it.
    pub(crate) targets: Vec<Node>,
}

/// A graph in structured form.
pub(crate) struct Structure {
    pub(crate) seq: Seq,
    /// The dispatchers, from node `blocks` on; the first is the function's entry.
    pub(crate) dispatchers: Vec<Dispatcher>,
    blocks: usize,
    hops: Vec<(Node, Node, Node)>,
}

impl Structure {
    /// Structures a graph of blocks with these successors, which is entered at `entries`. The node behind the blocks is the
    /// function's entry.
    pub(crate) fn new(successors: Vec<Vec<Node>>, entries: Vec<Node>) -> Structure {
        let blocks = successors.len();
        let mut builder = Builder { successors, dispatchers: Vec::new(), hops: Vec::new() };
        let root = builder.add_dispatcher(entries);
        let nodes = builder.reachable(root);
        // What is never reached leads nowhere: a loop would seem to be entered from there.
        let mut is_reached = vec![false; builder.successors.len()];
        nodes.iter().for_each(|&node| is_reached[node] = true);
        for (to, _) in builder.successors.iter_mut().zip(is_reached).filter(|(_, is_reached)| !is_reached) {
            to.clear();
        }
        let mut seq = builder.sequence(nodes, None);
        let mut place = vec![usize::MAX; builder.successors.len()];
        builder.find_sources(&mut seq, &mut place);
        let mut hops = builder.hops;
        hops.sort_unstable();
        Structure { seq, dispatchers: builder.dispatchers, blocks, hops }
    }

    /// The dispatcher that a node is.
    pub(crate) fn dispatcher(&self, node: Node) -> Option<&Dispatcher> {
        self.dispatchers.get(node.checked_sub(self.blocks)?)
    }

    /// Where control goes to get from one node to another: there, or to a dispatcher with that number.
    pub(crate) fn way(&self, from: Node, to: Node) -> (Node, Option<u32>) {
        let at = self.hops.partition_point(|hop| (hop.0, hop.1) < (from, to));
        match self.hops.get(at) {
            Some(&(f, t, by)) if (f, t) == (from, to) => {
                let number = self.dispatcher(by).and_then(|d| d.targets.iter().position(|&target| target == to));
                (by, number.map(|number| number as u32))
            }
            _ => (to, None),
        }
    }
}

/// How many nodes are tried as that to which a loop leads back.
const MAX_CANDIDATES: usize = 64;

struct Builder {
    /// Where control goes from each node, with the detours by dispatchers.
    successors: Vec<Vec<Node>>,
    dispatchers: Vec<Dispatcher>,
    /// From, to, by which dispatcher.
    hops: Vec<(Node, Node, Node)>,
}

impl Builder {
    fn add_dispatcher(&mut self, targets: Vec<Node>) -> Node {
        self.successors.push(targets.clone());
        self.dispatchers.push(Dispatcher { targets });
        self.successors.len() - 1
    }

    fn reachable(&self, root: Node) -> Vec<Node> {
        let mut seen = vec![false; self.successors.len()];
        let (mut stack, mut nodes) = (vec![root], Vec::new());
        while let Some(node) = stack.pop() {
            if !std::mem::replace(&mut seen[node], true) {
                nodes.push(node);
                stack.extend(self.successors[node].iter().filter(|&&to| !seen[to]));
            }
        }
        nodes
    }

    /// Orders `nodes` so that edges lead on, those to `head` apart.
    fn sequence(&mut self, nodes: Vec<Node>, head: Option<Node>) -> Seq {
        let mut components = Components::new(&self.successors, &nodes, head).found;
        // They come last to first.
        components.reverse();
        let mut items = Vec::new();
        for component in components {
            let [only] = component[..] else {
                items.push(self.cycle(component, head));
                continue;
            };
            let body = (Some(only) != head && self.successors[only].contains(&only))
                .then(|| self.sequence(vec![only], Some(only)));
            items.push(Item { head: only, first_from: None, body });
        }
        Seq { items }
    }

    /// A loop of several nodes.
    fn cycle(&mut self, mut component: Vec<Node>, outer: Option<Node>) -> Item {
        let mut inside = vec![false; self.successors.len()];
        component.iter().for_each(|&node| inside[node] = true);
        let mut entered = Vec::new();
        for (from, to) in self.successors.iter().enumerate() {
            if !inside[from] {
                entered
                    .extend(to.iter().copied().filter(|&to| inside[to] && !entered.contains(&to)).collect::<Vec<_>>());
                entered.dedup();
            }
        }
        entered.sort_unstable();
        entered.dedup();
        debug_assert!(outer.is_none_or(|outer| !inside[outer]));
        let main = self.main(&component, &inside, &entered);
        entered.retain(|&node| node != main);
        entered.insert(0, main);
        let head = if entered.len() == 1 {
            main
        } else {
            let dispatcher = self.add_dispatcher(entered.clone());
            for (from, &within) in inside.iter().enumerate().take(dispatcher) {
                for to in &mut self.successors[from] {
                    if entered.contains(to) && (!within || *to == main) {
                        self.hops.push((from, *to, dispatcher));
                        *to = dispatcher;
                    }
                }
            }
            component.push(dispatcher);
            dispatcher
        };
        let body = self.sequence(component, Some(head));
        Item { head, first_from: None, body: Some(body) }
    }

    /// The node to which branches of a loop are to lead back: without it most of what is in loops still is, so that loops
    /// within are loops by themselves. Where the loop is entered does not tell that: mostly where it was seen to be hot.
    /// Nothing in the loop dominates the node, so that what dominates others still comes before them.
    fn main(&self, component: &[Node], inside: &[bool], entered: &[Node]) -> Node {
        let mut candidates = entered.to_vec();
        candidates.extend(self.led_back_to(inside, entered).into_iter().filter(|node| !entered.contains(node)));
        if let [only] = candidates[..] {
            return only;
        }
        let (mut main, mut most) = (entered[0], None);
        for candidate in candidates.into_iter().take(MAX_CANDIDATES) {
            let rest: Vec<Node> = component.iter().copied().filter(|&node| node != candidate).collect();
            let cyclic = |found: &Vec<Node>| found.len() > 1 || self.successors[found[0]].contains(&found[0]);
            let found = Components::new(&self.successors, &rest, None).found;
            let still = found.iter().filter(|found| cyclic(found)).map(Vec::len).sum::<usize>();
            if most.is_none_or(|most| still > most) {
                (main, most) = (candidate, Some(still));
            }
        }
        main
    }

    /// The nodes of a loop that nothing in it dominates, and to which branches lead that are on the way there when it is
    /// walked from where it is entered.
    fn led_back_to(&self, inside: &[bool], entered: &[Node]) -> Vec<Node> {
        let (mut seen, mut on_way) = (vec![false; inside.len()], vec![false; inside.len()]);
        let (mut led_back, mut order) = (Vec::new(), Vec::new());
        for &start in entered {
            let mut walk = vec![(start, 0)];
            while let Some((node, at)) = walk.pop() {
                if at == 0 && std::mem::replace(&mut seen[node], true) {
                    if on_way[node] && !led_back.contains(&node) {
                        led_back.push(node);
                    }
                    continue;
                }
                on_way[node] = true;
                match self.successors[node].get(at) {
                    Some(&to) => {
                        walk.push((node, at + 1));
                        if inside[to] {
                            walk.push((to, 0));
                        }
                    }
                    None => {
                        on_way[node] = false;
                        order.push(node);
                    }
                }
            }
        }
        order.reverse();
        let mut place = vec![0; inside.len()];
        order.iter().enumerate().for_each(|(at, &node)| place[node] = at + 1);
        let mut predecessors = vec![Vec::new(); order.len() + 1];
        entered.iter().for_each(|&node| predecessors[place[node]].push(0));
        for &node in &order {
            for &to in self.successors[node].iter().filter(|&&to| inside[to]) {
                predecessors[place[to]].push(place[node]);
            }
        }
        let dominators = cfg::immediate_dominators(&predecessors);
        led_back.retain(|&node| dominators[place[node]] == 0);
        led_back
    }

    /// Notes for each item which is the first before it that branches to it.
    fn find_sources(&self, seq: &mut Seq, place: &mut [usize]) {
        for at in 0..seq.items.len() {
            let mut nodes = Vec::new();
            nodes_of(&seq.items[at], &mut nodes);
            nodes.iter().for_each(|&node| place[node] = at);
        }
        let heads: Vec<Node> = seq.items.iter().map(|item| item.head).collect();
        for at in 0..seq.items.len() {
            let mut nodes = Vec::new();
            nodes_of(&seq.items[at], &mut nodes);
            for to in nodes.into_iter().flat_map(|node| &self.successors[node]) {
                if let Some(item) = heads.get(place[*to]).filter(|head| *head == to).and(seq.items.get_mut(place[*to]))
                {
                    if place[*to] > at {
                        item.first_from = Some(item.first_from.map_or(at, |first: usize| first.min(at)));
                    }
                }
            }
        }
        for item in &mut seq.items {
            let mut nodes = Vec::new();
            nodes_of(item, &mut nodes);
            nodes.iter().for_each(|&node| place[node] = usize::MAX);
        }
        for item in &mut seq.items {
            if let Some(body) = &mut item.body {
                self.find_sources(body, place);
            }
        }
        nest(seq);
    }
}

fn nodes_of(item: &Item, nodes: &mut Vec<Node>) {
    match &item.body {
        Some(seq) => seq.items.iter().for_each(|item| nodes_of(item, nodes)),
        None => nodes.push(item.head),
    }
}

/// Lets blocks, each from the first branch to an item to just before that, nest.
fn nest(seq: &mut Seq) {
    for to in 0..seq.items.len() {
        let Some(mut start) = seq.items[to].first_from else { continue };
        for earlier in (0..to).rev() {
            if seq.items[earlier].first_from.is_some_and(|first| first < start && start < earlier) {
                start = seq.items[earlier].first_from.unwrap_or(start);
            }
        }
        seq.items[to].first_from = Some(start);
    }
}

/// Strongly connected components, each before those that lead to it (R. Tarjan, "Depth-first search and linear graph
/// algorithms", 1972), without recursion.
struct Components<'a> {
    successors: &'a [Vec<Node>],
    ignored: Option<Node>,
    inside: Vec<bool>,
    index: Vec<usize>,
    low: Vec<usize>,
    on_stack: Vec<bool>,
    stack: Vec<Node>,
    next: usize,
    found: Vec<Vec<Node>>,
}

impl<'a> Components<'a> {
    fn new(successors: &'a [Vec<Node>], nodes: &[Node], ignored: Option<Node>) -> Components<'a> {
        let count = successors.len();
        let mut inside = vec![false; count];
        nodes.iter().for_each(|&node| inside[node] = true);
        let mut components = Components {
            successors,
            ignored,
            inside,
            index: vec![usize::MAX; count],
            low: vec![0; count],
            on_stack: vec![false; count],
            stack: Vec::new(),
            next: 0,
            found: Vec::new(),
        };
        // The head comes first: all others are reached from it.
        for node in ignored.into_iter().chain(nodes.iter().copied()) {
            if components.inside[node] && components.index[node] == usize::MAX {
                components.walk(node);
            }
        }
        components
    }

    fn open(&mut self, node: Node) {
        self.index[node] = self.next;
        self.low[node] = self.next;
        self.next += 1;
        self.stack.push(node);
        self.on_stack[node] = true;
    }

    fn walk(&mut self, root: Node) {
        let mut walk = vec![(root, 0)];
        self.open(root);
        while let Some((node, at)) = walk.pop() {
            match self.successors[node].get(at) {
                Some(&to) => {
                    walk.push((node, at + 1));
                    if !self.inside[to] || Some(to) == self.ignored {
                        continue;
                    }
                    if self.index[to] == usize::MAX {
                        self.open(to);
                        walk.push((to, 0));
                    } else if self.on_stack[to] {
                        self.low[node] = self.low[node].min(self.index[to]);
                    }
                }
                None => {
                    if let Some(&(parent, _)) = walk.last() {
                        self.low[parent] = self.low[parent].min(self.low[node]);
                    }
                    if self.low[node] == self.index[node] {
                        let mut component = Vec::new();
                        while let Some(member) = self.stack.pop() {
                            self.on_stack[member] = false;
                            component.push(member);
                            if member == node {
                                break;
                            }
                        }
                        component.reverse();
                        self.found.push(component);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every branch of a graph finds its label, and leads where the graph says.
    fn check(successors: &[Vec<Node>], entries: &[Node]) {
        let structure = Structure::new(successors.to_vec(), entries.to_vec());
        assert_eq!(first(&structure.seq), successors.len(), "{successors:?} {entries:?}");
        let mut seen = Vec::new();
        walk(&structure, successors, &structure.seq, &mut Vec::new(), &mut seen);
        for &node in &seen {
            let without = reached(successors, entries, Some(node));
            let first = seen.iter().position(|other| *other == node);
            for (place, other) in seen.iter().enumerate().filter(|(_, other)| !without.contains(other)) {
                assert!(
                    first <= Some(place),
                    "{node} dominates {other}, which comes first: {successors:?} {entries:?}"
                );
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, reached(successors, entries, None), "{successors:?} {entries:?}");
    }

    /// The nodes that are reached from entries, though not by way of one of them.
    fn reached(successors: &[Vec<Node>], entries: &[Node], but: Option<Node>) -> Vec<Node> {
        let mut found = Vec::new();
        let mut stack = entries.to_vec();
        while let Some(node) = stack.pop() {
            if Some(node) != but && !found.contains(&node) {
                found.push(node);
                stack.extend(&successors[node]);
            }
        }
        found.sort_unstable();
        found
    }

    /// What is come to first in a sequence.
    fn first(seq: &Seq) -> Node {
        seq.items[0].body.as_ref().map_or(seq.items[0].head, first)
    }

    fn walk(s: &Structure, successors: &[Vec<Node>], seq: &Seq, labels: &mut Vec<(Node, bool)>, seen: &mut Vec<Node>) {
        let mut open: Vec<usize> = Vec::new();
        for (at, item) in seq.items.iter().enumerate() {
            while open.last() == Some(&at) {
                open.pop();
                labels.pop();
            }
            let mut starts: Vec<usize> =
                (at + 1..seq.items.len()).filter(|&to| seq.items[to].first_from == Some(at)).collect();
            starts.reverse();
            for to in starts {
                assert!(open.last().is_none_or(|&end| end >= to), "blocks cross");
                open.push(to);
                labels.push((seq.items[to].head, false));
            }
            match &item.body {
                Some(body) => {
                    assert_eq!(first(body), item.head, "a loop begins with its head");
                    labels.push((item.head, true));
                    walk(s, successors, body, labels, seen);
                    labels.pop();
                }
                None => {
                    let targets = match s.dispatcher(item.head) {
                        Some(d) => d.targets.clone(),
                        None => {
                            seen.push(item.head);
                            successors[item.head].clone()
                        }
                    };
                    for to in targets {
                        let (by, number) = s.way(item.head, to);
                        assert!(labels.iter().any(|&(node, _)| node == by), "no label for {by}");
                        if by != to {
                            let d = s.dispatcher(by).expect("a dispatcher");
                            assert_eq!(d.targets[number.expect("a number") as usize], to);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn graphs_of_all_kinds() {
        check(&[vec![1, 2], vec![3], vec![3], vec![]], &[0]);
        check(&[vec![1], vec![1, 2], vec![]], &[0]);
        check(&[vec![1], vec![2], vec![1, 3], vec![0]], &[0]);
        // Two ways into a loop, and three entries, two of them in it.
        check(&[vec![1, 2], vec![2], vec![1, 3], vec![]], &[0]);
        check(&[vec![1], vec![2, 4], vec![3], vec![1], vec![]], &[0, 2, 3]);
        check(&[vec![0]], &[0]);
        // What is never reached leads into a loop.
        check(&[vec![2], vec![2, 3], vec![3], vec![2]], &[0]);
    }

    #[test]
    fn random_graphs() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 33) as usize % below
        };
        for _ in 0..6000 {
            let count = 1 + next(26);
            let successors: Vec<Vec<Node>> = (0..count).map(|_| (0..next(4)).map(|_| next(count)).collect()).collect();
            let mut entries: Vec<Node> = (0..1 + next(3)).map(|_| next(count)).collect();
            entries.sort_unstable();
            entries.dedup();
            check(&successors, &entries);
        }
    }
}
