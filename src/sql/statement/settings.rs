//! SET, RESET and SHOW: an allow-list, with the role's limits for what costs the server.

use super::judged;
use crate::gate::{Effect, Judged};
use crate::refusal::{Refusal, SqlState};
use crate::sql::lists::{self, Setting};
use crate::sql::resolve::{Analysis, lost, unsupported};
use pg_query::NodeEnum;
use pg_query::protobuf::{Node, VariableSetKind, VariableSetStmt, VariableShowStmt, a_const::Val};

/// `SET` and `RESET`
pub fn set(analysis: &mut Analysis<'_>, set: &VariableSetStmt) -> Result<Judged, Refusal> {
    let name = set.name.to_ascii_lowercase();
    analysis.leaves.settings = true;
    match set.kind() {
        VariableSetKind::VarSetMulti => match name.as_str() {
            "transaction" | "session characteristics" => Ok(judged(analysis, "SET", Effect::None)),
            _ => Err(unsupported("SET TRANSACTION SNAPSHOT")),
        },
        VariableSetKind::VarResetAll => Ok(judged(analysis, "RESET", Effect::Reset { all: false })),
        VariableSetKind::VarReset | VariableSetKind::VarSetDefault => match lists::setting(&name) {
            Setting::Special => Ok(judged(analysis, "RESET", Effect::SearchPath(None))),
            Setting::Clamped(_) if analysis.rights.limits.contains_key(&name) => {
                Err(refused(&name).detail("Your role has a limit for it, which RESET would lift."))
            }
            Setting::Allowed | Setting::Only(_) | Setting::Clamped(_) => {
                let effect = if set.is_local {
                    Effect::None
                } else {
                    Effect::ResetSetting(name)
                };
                Ok(judged(analysis, "RESET", effect))
            }
            Setting::Refused => Err(refused(&name)),
        },
        VariableSetKind::VarSetValue => {
            let values: Vec<String> = set.args.iter().map(value).collect::<Result<_, _>>()?;
            let effect = allowed(analysis, &name, &values)?;
            Ok(judged(analysis, "SET", effect))
        }
        VariableSetKind::VarSetCurrent | VariableSetKind::Undefined => Err(unsupported("SET … FROM CURRENT")),
    }
}

fn allowed(analysis: &Analysis<'_>, name: &str, values: &[String]) -> Result<Effect, Refusal> {
    let one = values.first().map(String::as_str).unwrap_or_default();
    match lists::setting(name) {
        Setting::Allowed => Ok(Effect::None),
        Setting::Only(words) if values.len() == 1 && words.iter().any(|w| w.eq_ignore_ascii_case(one)) => {
            Ok(Effect::None)
        }
        Setting::Only(words) => Err(refused(name).detail(format!("It may only be set to {}.", words.join(", ")))),
        Setting::Special => Ok(Effect::SearchPath(Some(search_path(analysis, values)?))),
        Setting::Clamped(limit) => {
            let highest = analysis.rights.limits.get(name).map(String::as_str);
            if limit.admits(one, highest) {
                Ok(Effect::None)
            } else {
                Err(
                    Refusal::forbidden("limit", format!("\"{name}\" may not be set to \"{one}\"")).detail(format!(
                        "The limit for your role is {}.",
                        highest.unwrap_or("the server's own setting")
                    )),
                )
            }
        }
        Setting::Refused => Err(refused(name)),
    }
}

/// The schemas of a new path: known ones, `$user` as the login's, `pg_catalog` first whatever is said.
fn search_path(analysis: &Analysis<'_>, values: &[String]) -> Result<Vec<String>, Refusal> {
    let mut path = Vec::new();
    for (index, schema) in values.iter().enumerate() {
        match schema.as_str() {
            "" => {}
            "$user" => {
                if analysis.who.has_own_schema() {
                    return Err(unsupported(
                        "\"$user\" in search_path where a schema of that name exists",
                    ));
                }
            }
            "pg_catalog" if index == 0 => {}
            "pg_catalog" | "pg_temp" => {
                return Err(unsupported("pg_catalog or pg_temp behind other schemas in search_path")
                    .hint("pg_catalog is searched first and temporary tables before it in any case."));
            }
            known => path.push(known.to_owned()),
        }
    }
    Ok(path)
}

fn refused(name: &str) -> Refusal {
    Refusal::forbidden("setting", format!("permission denied to set parameter \"{name}\""))
        .hint("Ask the administrator of rowgate if you need it.")
}

fn value(node: &Node) -> Result<String, Refusal> {
    match node.node.as_ref().ok_or_else(lost)? {
        NodeEnum::AConst(constant) => match &constant.val {
            Some(Val::Sval(s)) => Ok(s.sval.clone()),
            Some(Val::Ival(i)) => Ok(i.ival.to_string()),
            Some(Val::Fval(f)) => Ok(f.fval.clone()),
            Some(Val::Boolval(b)) => Ok(b.boolval.to_string()),
            Some(Val::Bsval(_)) | None => Err(unsupported("this value")),
        },
        NodeEnum::TypeCast(_) => Ok("interval".to_owned()),
        _ => Err(unsupported("this value")),
    }
}

/// `SHOW`
pub fn show(analysis: &mut Analysis<'_>, show: &VariableShowStmt) -> Result<Judged, Refusal> {
    let name = show.name.to_ascii_lowercase();
    if name == "all" || lists::setting_is_readable(&name) {
        return Ok(judged(analysis, "SHOW", Effect::None));
    }
    Err(Refusal::new(
        "setting",
        SqlState::InsufficientPrivilege,
        format!("permission denied to examine \"{name}\""),
    ))
}
