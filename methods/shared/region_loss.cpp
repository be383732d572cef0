#include "methods/shared/region_loss.h"

#include <ATen/ATen.h>

#include "losses/cross_entropy.h"
#include "losses/precise.h"
#include "losses/region_targets.h"
#include "losses/soft_dice.h"

namespace lacuna::methods {

std::vector<data::Region> published_regions() {
  const auto regions = data::tumour_regions();  // ET, TC, WT
  return {regions[0], regions[2], regions[1]};
}

Loss region_loss(const at::Tensor& logits, const at::Tensor& label) {
  const at::Tensor wide = losses::precise(logits);
  const at::Tensor target = losses::region_targets(label, published_regions(), wide.scalar_type());
  const at::Tensor dice = losses::soft_dice_with_logits(wide, target);
  const at::Tensor bce = losses::summed_cross_entropy_with_logits(wide, target);
  return {dice + bce, {{"dice", dice}, {"bce", bce}}, logits.detach()};
}

}  // namespace lacuna::methods
