#include "data/cohorts/splits.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/files/hash.h"
#include "base/random.h"

namespace lacuna::data {
namespace {

using Ids = std::vector<std::string>;
using Parts = std::map<std::string, Ids>;
using CaseIndex = std::map<std::string, const CaseInfo*>;

struct Patient {
  const CaseInfo* first = nullptr;  // by id: what stands for the patient's institution and grade
  Ids cases;
};
using Patients = std::map<std::string, Patient>;
using Strata = std::map<std::string, Ids>;  // of patients

std::string patient_of(const CaseInfo& info) {
  return info.patient.empty() ? info.id : info.patient;
}

// Low grade first: the published meta-validation list has three of these and two of the others.
std::string grade_key(const CaseInfo& info) {
  return info.grade == "LGG" ? "0" : info.grade.empty() ? "2" : "1";
}

std::string stratum_key(const CaseInfo& info) { return grade_key(info) + "/" + info.institution; }

CaseIndex index_of(const std::vector<CaseInfo>& cases) {
  CaseIndex index;
  for (const CaseInfo& info : cases) index[info.id] = &info;
  return index;
}

Patients patients_of(const Ids& ids, const CaseIndex& index) {
  Patients patients;
  for (const std::string& id : ids) {
    const CaseInfo& info = *index.at(id);
    Patient& patient = patients[patient_of(info)];
    patient.cases.push_back(id);
    if (patient.first == nullptr || info.id < patient.first->id) patient.first = &info;
  }
  return patients;
}

Ids labelled(const std::vector<CaseInfo>& cases) {
  Ids ids;
  for (const CaseInfo& info : cases) {
    if (info.has_label) ids.push_back(info.id);
  }
  return ids;
}

template <typename Key>
Strata stratify(const Ids& names, const Patients& patients, Key key) {
  Strata strata;
  for (const std::string& name : names) strata[key(*patients.at(name).first)].push_back(name);
  return strata;
}

// Takes `count` names, one per stratum in turn, off the back of each stratum.
Ids take_in_turn(Strata& strata, std::size_t count) {
  Ids taken;
  while (taken.size() < count) {
    const std::size_t before = taken.size();
    for (auto& [key, names] : strata) {
      if (names.empty() || taken.size() == count) continue;
      taken.push_back(names.back());
      names.pop_back();
    }
    if (taken.size() == before) break;
  }
  return taken;
}

// `names` are grouped by stratum, so even steps take from each in proportion to its size.
Ids evenly_spaced(const Ids& names, std::size_t count) {
  Ids taken;
  for (std::size_t i = 0; i < count; ++i)
    taken.push_back(names[(2 * i + 1) * names.size() / (2 * count)]);
  return taken;
}

Ids without(const Ids& names, const Ids& removed) {
  const std::set<std::string> gone(removed.begin(), removed.end());
  Ids left;
  for (const std::string& name : names) {
    if (gone.count(name) == 0) left.push_back(name);
  }
  return left;
}

Ids cases_of(const Ids& names, const Patients& patients) {
  Ids ids;
  for (const std::string& name : names) {
    const Ids& cases = patients.at(name).cases;
    ids.insert(ids.end(), cases.begin(), cases.end());
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

// `train` lists patients in the order in which meta takes them from the back.
void deal_meta(Parts& parts, const Ids& train, const Patients& patients) {
  Strata by_grade = stratify(train, patients, grade_key);
  const Ids meta = take_in_turn(by_grade, meta_cases(train.size()));
  parts["train"] = cases_of(without(train, meta), patients);
  parts["meta"] = cases_of(meta, patients);
}

// Patients in a random order that is fixed by the seed, grouped by stratum.
Ids deal_order(const Patients& patients, std::uint64_t seed) {
  Ids names, order;
  for (const auto& [name, patient] : patients) names.push_back(name);
  std::uint64_t number = 0;
  for (auto& [key, members] : stratify(names, patients, stratum_key)) {
    std::sort(members.begin(), members.end());
    Stream stream(seed, Purpose::kSplit, number++);
    stream.shuffle(std::span<std::string>(members));
    order.insert(order.end(), members.begin(), members.end());
  }
  return order;
}

bool is_fold(const std::string& name) { return name.starts_with("fold"); }

// Whether the case can be in this part: there, and with the label that all parts but `test` need.
bool belongs(const std::string& id, const std::string& part, const CaseIndex& index) {
  const auto found = index.find(id);
  return found != index.end() && (found->second->has_label || part == "test");
}

// The parts of a growing split, by patient.
struct Growing {
  Parts* parts;
  std::map<std::string, std::string> part_of;            // patient -> part
  std::map<std::string, std::set<std::string>> members;  // part -> patients
  std::map<std::string, std::size_t> tested;             // stratum -> patients in test

  Growing(Parts& into, const CaseIndex& index) : parts(&into) {
    // "train" last, so that it wins where an older cache has a patient in several parts.
    for (const char* part : {"test", "validation", "meta", "train"}) {
      const auto there = into.find(part);
      if (there == into.end()) continue;
      for (const std::string& id : there->second) {
        const CaseInfo& info = *index.at(id);
        part_of[patient_of(info)] = part;
        if (members[part].insert(patient_of(info)).second && part == std::string("test")) {
          ++tested[stratum_key(info)];
        }
      }
    }
  }

  void add(const std::string& name, const Patient& patient, const std::string& part) {
    part_of[name] = part;
    members[part].insert(name);
    if (part == "test") ++tested[stratum_key(*patient.first)];
    Ids& ids = (*parts)[part];
    ids.insert(ids.end(), patient.cases.begin(), patient.cases.end());
    std::sort(ids.begin(), ids.end());
  }
};

}  // namespace

std::size_t meta_cases(std::size_t training) {
  if (training < 5) return 0;
  return std::clamp<std::size_t>(training / 10, 1, 5);
}

void set_aside_meta(std::map<std::string, std::vector<std::string>>& parts,
                    const std::vector<CaseInfo>& cases) {
  const Patients patients = patients_of(parts["train"], index_of(cases));
  Ids order;
  for (const std::string& id : parts["train"]) {
    for (const auto& [name, patient] : patients) {
      if (patient.cases.front() == id) order.push_back(name);
    }
  }
  deal_meta(parts, order, patients);
}

Splits make_splits(const std::vector<CaseInfo>& cases, const SplitOptions& options) {
  if (options.folds < 2) throw_error<ConfigError>("--folds {}: at least 2 folds", options.folds);
  const Patients patients = patients_of(labelled(cases), index_of(cases));
  const Ids order = deal_order(patients, options.seed);
  Splits splits;
  deal_meta(splits["all"], order, patients);
  const std::size_t folds = std::min(order.size(), static_cast<std::size_t>(options.folds));
  if (folds < 2) return splits;
  for (std::size_t k = 0; k < folds; ++k) {
    auto& parts = splits["fold" + std::to_string(k)];
    Ids test, rest;
    for (std::size_t i = 0; i < order.size(); ++i) {
      (i % folds == k ? test : rest).push_back(order[i]);
    }
    // At least one patient for validation as soon as two are left for training.
    const std::size_t wanted = std::max<std::size_t>(order.size() / 10, rest.size() >= 3 ? 1 : 0);
    const Ids validation = evenly_spaced(rest, wanted);
    parts["validation"] = cases_of(validation, patients);
    deal_meta(parts, without(rest, validation), patients);
    parts["test"] = cases_of(test, patients);
  }
  return splits;
}

Splits departed_cases(const Splits& splits, const std::vector<CaseInfo>& cases) {
  const CaseIndex index = index_of(cases);
  Splits gone;
  for (const auto& [name, parts] : splits) {
    for (const auto& [part, ids] : parts) {
      for (const std::string& id : ids) {
        if (!belongs(id, part, index)) gone[name][part].push_back(id);
      }
    }
  }
  return gone;
}

Splits grow_splits(const Splits& earlier, const std::set<std::string>& listed,
                   const std::vector<CaseInfo>& cases) {
  const CaseIndex index = index_of(cases);
  Splits splits;
  for (const auto& [name, parts] : earlier) {
    for (const auto& [part, ids] : parts) {
      Ids& kept = splits[name][part];
      for (const std::string& id : ids) {
        if (belongs(id, part, index)) kept.push_back(id);
      }
    }
  }
  std::map<std::string, Growing> growing;  // the generated ones
  for (auto& [name, parts] : splits) {
    if (listed.count(name) == 0) growing.emplace(name, Growing(parts, index));
  }
  const Patients everybody = patients_of(labelled(cases), index);
  const std::size_t tenth = everybody.size() / 10;
  for (const auto& [name, whole] : everybody) {
    // The fold that would test the patient, should it be new.
    std::string tests;
    const std::string stratum = stratum_key(*whole.first);
    const auto burden = [&, &patient = name](const std::string& fold) {
      Growing& parts = growing.at(fold);
      return std::tuple(parts.tested[stratum], parts.members["test"].size(),
                        hash_hex(std::string_view(patient + fold)));
    };
    bool known = false;
    for (auto& [fold, parts] : growing) {
      if (!is_fold(fold)) continue;
      known = known || parts.part_of.count(name) > 0;
      if (tests.empty() || burden(fold) < burden(tests)) tests = fold;
    }
    for (auto& [split, parts] : growing) {
      Patient fresh = whole;
      std::set<std::string> there;
      for (const auto& [part, ids] : *parts.parts) there.insert(ids.begin(), ids.end());
      std::erase_if(fresh.cases, [&](const std::string& id) { return there.count(id) > 0; });
      if (fresh.cases.empty()) continue;
      const auto place = parts.part_of.find(name);
      std::string part = "train";
      if (place != parts.part_of.end()) {
        part = place->second;
      } else if (!known && split == tests) {
        part = "test";
      } else if (is_fold(split) && parts.members["validation"].size() < tenth) {
        part = "validation";
      }
      parts.add(name, fresh, part);
    }
  }
  return splits;
}

std::vector<SplitPatient> split_patients(
    const std::map<std::string, std::vector<std::string>>& parts,
    const std::vector<CaseInfo>& cases) {
  const CaseIndex index = index_of(cases);
  std::map<std::string, std::map<std::string, Ids>> where;  // patient -> part -> cases
  for (const auto& [part, ids] : parts) {
    for (const std::string& id : ids) {
      const auto found = index.find(id);
      if (found != index.end()) where[patient_of(*found->second)][part].push_back(id);
    }
  }
  std::vector<SplitPatient> torn;
  for (const auto& [patient, places] : where) {
    if (places.size() < 2) continue;
    SplitPatient one{patient, {}, {}};
    for (const auto& [part, ids] : places) {
      one.parts.push_back(part);
      one.cases.insert(one.cases.end(), ids.begin(), ids.end());
    }
    torn.push_back(std::move(one));
  }
  return torn;
}

}  // namespace lacuna::data
