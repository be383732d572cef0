#include "models/shared_specific_network.h"

#include <gtest/gtest.h>

namespace lacuna::models {
namespace {

TEST(SharedSpecificNetwork, EncodersAreNamedAsPublished) {
  EXPECT_EQ(private_encoder_name("T1c"), "t1ce_enc");
  EXPECT_EQ(private_encoder_name("FLAIR"), "flair_enc");
  EXPECT_EQ(private_encoder_name("PET 18-F"), "pet_18_f_enc");
}

}  // namespace
}  // namespace lacuna::models
