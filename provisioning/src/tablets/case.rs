//! A charging case: fifteen tablets that sign in all at once, and the children who take turns on them.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use anyhow::Context as _;
use futures_util::future::join_all;
use preau_shared::ids::Uai;

use crate::roster;

use super::{
    Rig, SchoolPlan, TABLETS_PER_CASE,
    device::{Device, Place, Trouble},
    news::News,
    teacher::Teacher,
    turn,
};
use crate::coordinator::BadgeLine;

/// Between two storms the tablets change hands.
const SHORTEST_PAUSE: Duration = Duration::from_millis(300);
/// The pause is longer by less than this.
const PAUSE_SPREAD_MS: u64 = 700;
/// One tablet in so many is shared by two children.
const PAIR_EVERY: usize = 7;
/// A teacher lets somebody in at one storm in so many.
const LET_IN_EVERY: u32 = 3;
/// So often a case tries to enrol before it gives up: the box may be starting.
const ENROL_TRIES: u32 = 40;

/// A case, its children and its teachers.
pub(super) struct Case {
    rig: Rig,
    uai: Uai,
    number: u8,
    url: String,
    authority: String,
    code_file: std::path::PathBuf,
    devices: Vec<Device>,
    pupils: Vec<BadgeLine>,
    next: usize,
    staff: BTreeMap<String, BadgeLine>,
    teachers: BTreeMap<String, Teacher>,
    from: Ipv4Addr,
}

impl Case {
    /// The cases of a school: its tablets by fifteens, its pupils dealt out among them.
    pub(super) fn of_school(rig: &Rig, school: u8, plan: &SchoolPlan) -> anyhow::Result<Vec<Self>> {
        let authority = String::from_utf8(super::read(&plan.ca_file)?).context("the authority is not PEM")?;
        let badges = roster::read_badges(&plan.badges_file)?;
        let count = plan.tablets.div_ceil(TABLETS_PER_CASE);
        let staff: BTreeMap<String, BadgeLine> =
            badges.iter().filter(|b| b.role == "teacher").map(|b| (b.class.clone(), b.clone())).collect();
        let pupils: Vec<&BadgeLine> =
            badges.iter().filter(|b| b.role == "pupil" && Some(&b.class) != plan.spared_class.as_ref()).collect();
        let share = pupils.len().div_ceil(usize::from(count.max(1))).max(1);
        let mut shares = pupils.chunks(share);
        let mut left = plan.tablets;
        (0..count)
            .map(|case| {
                let number = u8::try_from(case).context("too many cases")?;
                let from = Ipv4Addr::new(127, school.saturating_add(10), number.saturating_add(1), 1);
                let here = left.min(TABLETS_PER_CASE);
                left = left.saturating_sub(here);
                let mut devices = Vec::new();
                for tablet in 0..u8::try_from(here)? {
                    let [a, b, c, _] = from.octets();
                    let from = IpAddr::V4(Ipv4Addr::new(a, b, c, tablet.saturating_add(10)));
                    let place = Place { url: plan.url.clone(), authority: authority.clone(), dns: plan.dns, from };
                    devices.push(Device::new(rig, &place)?);
                }
                Ok(Self {
                    rig: rig.clone(),
                    uai: plan.uai.clone(),
                    number,
                    url: plan.url.clone(),
                    authority: authority.clone(),
                    code_file: plan.code_file.clone(),
                    devices,
                    pupils: shares.next().unwrap_or_default().iter().map(|p| (*p).clone()).collect(),
                    next: 0,
                    staff: staff.clone(),
                    teachers: BTreeMap::new(),
                    from,
                })
            })
            .collect()
    }

    /// Enrols the tablets, then storm after storm until the day is over.
    pub(super) async fn live(mut self) -> anyhow::Result<()> {
        self.enrol().await?;
        let mut storm = 0_u32;
        while !self.rig.is_over() {
            storm = storm.saturating_add(1);
            Box::pin(self.storm(storm)).await;
            let pause = SHORTEST_PAUSE.saturating_add(Duration::from_millis(self.rig.dice.below(PAUSE_SPREAD_MS)));
            drop(tokio::time::timeout(pause, self.rig.over.clone().wait_for(|over| *over)).await);
        }
        Ok(())
    }

    async fn enrol(&mut self) -> anyhow::Result<()> {
        let code = String::from_utf8(super::read(&self.code_file)?)?;
        let (uai, number, rig) = (&self.uai, self.number.saturating_add(1), &self.rig);
        let enrolled = join_all(self.devices.iter_mut().zip(1_u8..).map(|(device, tablet)| {
            let name = format!("Valise {number} · {tablet:02}");
            let serial = format!("VT-{uai}-{number}-{tablet:02}");
            let code = code.trim();
            async move {
                let mut tries = 0_u32;
                while let Err(trouble) = device.enrol(code, name.clone(), serial.clone()).await {
                    tries = tries.saturating_add(1);
                    if tries >= ENROL_TRIES || rig.is_over() || matches!(trouble, Trouble::Contract(_)) {
                        return Err(trouble);
                    }
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                News::Enrolled { uai: uai.clone() }.tell();
                Ok(())
            }
        }));
        for result in enrolled.await {
            if let Err(trouble) = result {
                turn::odd(&self.uai, &format!("enrolment: {trouble}"));
                anyhow::bail!("a tablet could not be enrolled at {}: {trouble}", self.uai);
            }
        }
        Ok(())
    }

    /// All tablets at once: in, stay, out.
    async fn storm(&mut self, storm: u32) {
        let seats = self.deal(storm);
        let mut let_in = None;
        if storm.is_multiple_of(LET_IN_EVERY)
            && let Some((device, [pupil])) = seats.first().map(|(d, c)| (*d, c.as_slice()))
        {
            let_in = Some((device, pupil.clone()));
        }
        if let Some((device, pupil)) = &let_in
            && let Err(trouble) = self.let_in(*device, pupil).await
        {
            turn::odd(&self.uai, &format!("let-in: {trouble}"));
            let_in = None;
        }
        let (rig, uai) = (&self.rig, &self.uai);
        let turns = seats.iter().filter_map(|(number, children)| {
            let device = self.devices.get(*number)?;
            let opened_by_teacher = let_in.as_ref().is_some_and(|(n, _)| n == number);
            Some(Box::pin(async move {
                let session = if opened_by_teacher {
                    turn::pick_up(rig, uai, device).await
                } else {
                    turn::come_in(rig, uai, device, children).await
                };
                match session {
                    Some(session) => {
                        turn::stay(rig, uai, device, &session, children).await;
                        turn::leave(uai, device, &session).await;
                    }
                    // A tablet that could not be used is put in order before the next child.
                    None => drop(turn::settle(device).await),
                }
            }))
        });
        join_all(turns.collect::<Vec<_>>()).await;
    }

    /// Gives each tablet its child, some two. Fewer children than tablets leave tablets in the case.
    fn deal(&mut self, storm: u32) -> Vec<(usize, Vec<BadgeLine>)> {
        let mut waiting = self.pupils.len();
        let offset = usize::try_from(storm).unwrap_or(0);
        let mut seats = Vec::new();
        for device in 0..self.devices.len() {
            let pair = device.saturating_add(offset).is_multiple_of(PAIR_EVERY) && device > 0;
            let wanted = if pair { 2 } else { 1 }.min(waiting);
            if wanted == 0 {
                break;
            }
            waiting = waiting.saturating_sub(wanted);
            let children = (0..wanted).filter_map(|_| {
                let child = self.pupils.get(self.next).cloned();
                self.next = self.next.saturating_add(1).checked_rem(self.pupils.len()).unwrap_or(0);
                child
            });
            seats.push((device, children.collect()));
        }
        seats
    }

    async fn let_in(&mut self, device: usize, pupil: &BadgeLine) -> Result<(), Trouble> {
        let Some(tablet) = self.devices.get(device).map(|d| d.id.clone()) else { return Ok(()) };
        let nobody = || Trouble::Contract(format!("nobody teaches {}", pupil.class));
        let teacher = match self.teachers.entry(pupil.class.clone()) {
            std::collections::btree_map::Entry::Occupied(found) => found.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                let badge = self.staff.get(&pupil.class).cloned().ok_or_else(nobody)?;
                let teacher = Teacher::new(&self.url, &self.authority, IpAddr::V4(self.from), badge);
                place.insert(teacher.map_err(|e| Trouble::Contract(e.to_string()))?)
            }
        };
        teacher.let_in(pupil, &tablet).await
    }
}
