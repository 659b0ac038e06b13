//! What strikes from outside: when, and how it is carried out.

use std::time::Duration;

use anyhow::{Context as _, Result};
use preau_shared::{
    dice::Dice as _,
    ids::BoxId,
    replica::{Input, Shelf},
    time::Elapsed,
};

use super::{
    Fault, Place, World,
    net::{Blow, Happening},
    node::{Act, Node, Perils},
    wires::{self, id},
};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// A machine is plugged in for so long, at most, where two share a link.
const PLUGGED_MS: u64 = 5_000;

impl World {
    /// A storm begins: who starts, who acts, what strikes when.
    pub(super) fn storm(&mut self, storm: u8) -> Result<()> {
        let (now, plan) = (self.now, self.plan.clone());
        let dice = plan.dice(&format!("storm {storm}"));
        self.net.storm();
        let soon = |most: u64| now.after(Duration::from_millis(dice.below(most)));
        let per_mille = |fault, most: u64| if plan.has(fault) { dice.below(most).saturating_add(2) } else { 0 };
        let perils = Perils { crash: per_mille(Fault::Crash, 14), torn: per_mille(Fault::Torn, 10) };
        for node in self.nodes.iter_mut().filter(|node| !node.gone) {
            node.perils = perils;
            self.net.at(soon(1_500), Happening::Start(node.place));
            self.net.at(soon(2_000), Happening::Act(node.place));
        }
        let links: Vec<u8> = (0..plan.boxes).chain(wires::lan(&plan)?).collect();
        for link in links {
            self.net.at(soon(2_500), Happening::LinkUp(link));
        }
        let mut blow = |most: u64, blow: Blow| self.net.at(soon(most), Happening::Blow(blow));
        let any = |dice: &dyn preau_shared::dice::Dice| match u8::try_from(dice.below(u64::from(plan.boxes) + 1)) {
            Ok(n) if n < plan.boxes => Place::Box(n),
            Ok(_) | Err(_) => Place::Cloud,
        };
        let one = |dice: &dyn preau_shared::dice::Dice| u8::try_from(dice.below(plan.boxes.into())).unwrap_or(0);
        if plan.has(Fault::Rollback) {
            let place = any(&dice);
            blow(6_000, Blow::Snapshot(place));
            blow(13_000, Blow::Rewind(place));
        }
        if plan.has(Fault::FullDisk) {
            blow(10_000, Blow::Full(any(&dice)));
            blow(10_000, Blow::Full(any(&dice)));
        }
        if plan.has(Fault::Erasure) {
            blow(12_000, Blow::Erase);
            blow(12_000, Blow::Erase);
        }
        if plan.has(Fault::Rollover) {
            blow(9_000, Blow::RollOver);
        }
        if plan.has(Fault::Seasons) {
            blow(8_000, Blow::Sleep);
            blow(10_000, Blow::House(Place::Cloud));
            for n in 0..plan.boxes {
                blow(10_000, Blow::House(Place::Box(n)));
            }
        }
        if plan.has(Fault::Clocks) {
            blow(9_000, Blow::Clock(any(&dice)));
            blow(9_000, Blow::Clock(any(&dice)));
        }
        if storm == 0 && plan.has(Fault::Clone) {
            blow(5_000, Blow::Clone(one(&dice)));
        }
        if storm == 1 && plan.has(Fault::Revoked) {
            blow(9_000, Blow::Revoke(one(&dice)));
        }
        if storm == 0 && plan.has(Fault::Hostile) {
            blow(6_000, Blow::Steal(plan.boxes.saturating_sub(1)));
        }
        for n in self.stolen.clone() {
            self.net.at(soon(1_000), Happening::Blow(Blow::Attack(n)));
        }
        Ok(())
    }

    /// From here on nothing fails any more.
    pub(super) fn calm(&mut self) -> Result<()> {
        self.net.calm();
        for node in &mut self.nodes {
            node.perils = Perils::default();
            node.full_until = Elapsed::default();
        }
        self.retire_twins()?;
        // A theft is told, sooner or later.
        let stolen = self.stolen.iter().map(|n| id(Place::Box(*n)));
        self.revoked.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(stolen);
        let links: Vec<u8> = (0..self.plan.boxes).chain(wires::lan(&self.plan)?).collect();
        for link in links {
            if self.counts(link) {
                self.happen(Happening::LinkUp(link))?;
            } else {
                self.net.cut(link, self.now);
            }
        }
        for place in self.nodes.iter().map(|node| node.place).collect::<Vec<_>>() {
            self.net.at(self.now.after(Duration::from_secs(5)), Happening::Start(place));
        }
        Ok(())
    }

    /// The DSI takes away one of two machines: the one whose name the coordinator refuses, if it refuses one.
    fn retire_twins(&mut self) -> Result<()> {
        let twins: Vec<(u8, Place)> = self.plugged.iter().map(|(n, place)| (*n, *place)).collect();
        for (n, _) in twins {
            if self.node(Place::Box(n))?.gone || self.node(Place::Twin(n))?.gone {
                continue;
            }
            self.plugged.remove(&n);
            let refused = |world: &Self, place: Place| -> Result<bool> {
                let origin = world.node(place)?.author.origin;
                let named = |alert: &preau_shared::replica::Alert| {
                    *alert == preau_shared::replica::Alert::Superseded { origin }
                };
                Ok(world.node(Place::Cloud)?.peers().any(|(_, peer)| peer.alerts().iter().any(named)))
            };
            let first_goes = refused(self, Place::Box(n))? && !refused(self, Place::Twin(n))?;
            let (stays, goes) =
                if first_goes { (Place::Twin(n), Place::Box(n)) } else { (Place::Box(n), Place::Twin(n)) };
            self.trace(|| format!("{goes:?} is taken away"));
            let node = self.node_mut(goes)?;
            node.die();
            node.gone = true;
            if stays == Place::Twin(n) {
                self.plugged.insert(n, stays);
            }
            // And starts the other again: until then it keeps silent, if its name was refused too.
            self.node_mut(stays)?.die();
            self.recount()?;
        }
        Ok(())
    }

    /// What stands on no trusted disk is promised no more.
    pub(super) fn recount(&mut self) -> Result<()> {
        let trusted: Vec<&Node> = self.nodes.iter().filter(|node| !node.gone).collect();
        self.truth.recount(&trusted)
    }

    pub(super) fn strike(&mut self, blow: Blow) -> Result<()> {
        self.trace(|| format!("{blow:?}"));
        let now = self.now;
        match blow {
            Blow::Snapshot(place) => {
                let image = self.node(place)?.disk.image()?;
                self.images.insert(place, image);
            }
            Blow::Rewind(place) => self.rewind(place)?,
            Blow::Clone(n) => self.clone_box(n)?,
            Blow::Plug(n) => self.plug(n)?,
            Blow::Full(place) => {
                let until = now.after(self.net.moment(6_000));
                self.node_mut(place)?.full_until = until;
            }
            Blow::Erase => self.erase()?,
            Blow::RollOver => {
                for shelf in self.schools()? {
                    self.act(Place::Cloud, &Act::RollOver(shelf), None)?;
                }
                self.net.count(Fault::Rollover);
            }
            Blow::Sleep => self.sleep()?,
            Blow::House(place) => self.house(place)?,
            Blow::Clock(place) => {
                let jump = i64::try_from(self.acting.below(60_000))?.saturating_sub(30_000);
                let by = if self.acting.below(2) == 0 { jump } else { jump.saturating_mul(DAY_MS / 1_000) };
                let node = self.node_mut(place)?;
                node.skew = node.skew.saturating_add(by);
                self.net.count(Fault::Clocks);
            }
            Blow::Revoke(n) => self.revoke(n)?,
            Blow::Steal(n) => {
                // With its disk, and with every copy of it.
                for node in self.nodes.iter_mut().filter(|node| id(node.place) == id(Place::Box(n))) {
                    node.die();
                    node.gone = true;
                }
                self.stolen.insert(n);
                self.recount()?;
                self.strike(Blow::Attack(n))?;
            }
            Blow::Attack(n) => {
                self.attack(n)?;
                self.net.at(now.after(self.net.moment(1_200)), Happening::Blow(Blow::Attack(n)));
            }
        }
        Ok(())
    }

    fn rewind(&mut self, place: Place) -> Result<()> {
        let Some(image) = self.images.remove(&place) else { return Ok(()) };
        if self.node(place)?.gone {
            return Ok(());
        }
        let node = self.node_mut(place)?;
        node.disk.rewind(&image)?;
        node.is_rewound()?;
        self.rewound.insert(place);
        self.net.count(Fault::Rollback);
        self.net.at(self.now.after(self.net.moment(2_000)), Happening::Start(place));
        self.recount()
    }

    fn clone_box(&mut self, n: u8) -> Result<()> {
        if self.node(Place::Box(n))?.gone {
            return Ok(());
        }
        let image = self.node(Place::Box(n))?.disk.image()?;
        let skew = self.node(Place::Box(n))?.skew;
        let mut twin = Node::new(&self.plan, Place::Twin(n), &self.revoked)?;
        twin.disk.rewind(&image)?;
        twin.skew = skew;
        twin.perils = self.node(Place::Box(n))?.perils;
        twin.traced = self.traced;
        twin.is_rewound()?;
        self.nodes.push(twin);
        self.rewound.extend([Place::Box(n), Place::Twin(n)]);
        self.plugged.insert(n, Place::Box(n));
        self.net.count(Fault::Clone);
        for (most, happening) in [
            (1_000, Happening::Start(Place::Twin(n))),
            (2_000, Happening::Act(Place::Twin(n))),
            (PLUGGED_MS, Happening::Blow(Blow::Plug(n))),
        ] {
            let at = self.now.after(self.net.moment(most));
            self.net.at(at, happening);
        }
        Ok(())
    }

    /// The other machine is plugged in; each end finds out.
    fn plug(&mut self, n: u8) -> Result<()> {
        let now = self.now;
        let out = self.plugged.get(&n).copied().context("a machine")?;
        let into = if out == Place::Box(n) { Place::Twin(n) } else { Place::Box(n) };
        for place in self.ends(n) {
            self.step(place, |node, out| node.tell(now, n, Input::Disconnected, out))?;
        }
        self.plugged.insert(n, into);
        if self.net.is_up(n) {
            for place in self.ends(n) {
                self.step(place, |node, out| node.tell(now, n, Input::Connected, out))?;
            }
        }
        self.net.at(now.after(self.net.moment(PLUGGED_MS)), Happening::Blow(Blow::Plug(n)));
        Ok(())
    }

    /// Days or months pass, with some boxes out of contact before and after.
    fn sleep(&mut self) -> Result<()> {
        let days = [1, 10, 20, 80, 130, 400];
        let days: i64 = days.get(usize::try_from(self.acting.below(6))?).copied().unwrap_or(1);
        for node in &mut self.nodes {
            node.skew = node.skew.saturating_add(days.saturating_mul(DAY_MS));
        }
        self.net.count(Fault::Seasons);
        let places = self.standing_boxes();
        for place in places {
            if self.acting.below(2) == 0 {
                let (Place::Box(n) | Place::Twin(n)) = place else { continue };
                self.net.cut(n, self.now);
                for end in self.ends(n) {
                    let now = self.now;
                    self.step(end, |node, out| node.tell(now, n, Input::Disconnected, out))?;
                }
            }
        }
        for place in [Place::Cloud].into_iter().chain(self.standing_boxes()) {
            for most in [1_500, 6_000] {
                let at = self.now.after(self.net.moment(most));
                self.net.at(at, Happening::Blow(Blow::House(place)));
            }
        }
        Ok(())
    }

    fn house(&mut self, place: Place) -> Result<()> {
        let now = self.now;
        let revoked = self.revoked.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let of = |shelf: &Shelf| -> Vec<BoxId> {
            let boxes = (0..self.plan.boxes).map(Place::Box).filter_map(|place| self.node(place).ok());
            let keep = boxes.filter(|node| super::truth::keeps(node, shelf)).map(|node| id(node.place));
            keep.filter(|name| !revoked.contains(name)).collect()
        };
        let shelves = self.founded.iter().cloned().chain([Shelf::Territory]);
        let boxes: Vec<(Shelf, Vec<BoxId>)> = shelves.map(|shelf| (shelf.clone(), of(&shelf))).collect();
        let mut gone = 0;
        self.step(place, |node, out| {
            gone = node.house(now, &boxes, out)?;
            Ok(())
        })?;
        self.trace(|| format!("{gone} runs went at {place:?}"));
        Ok(())
    }

    fn revoke(&mut self, n: u8) -> Result<()> {
        self.revoked.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(id(Place::Box(n)));
        for node in self.nodes.iter_mut().filter(|node| id(node.place) == id(Place::Box(n))) {
            // What it says from now on is still sent, and refused.
            node.gone = true;
        }
        self.net.count(Fault::Revoked);
        self.recount()
    }
}
