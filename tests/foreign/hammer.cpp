// SPDX-License-Identifier: Apache-2.0
// Many threads sign on every token that the module shows; OpenSSL verifies each signature with the
// token's public key. Run twice at once it is two processes on one card.
//
//   hammer MODULE PIN THREADS SIGNATURES      prints "N signatures verified on M tokens"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "tests/foreign/p11_client.hpp"

namespace {

using kilt::client::Module;
using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

/// RSA public key from big-endian numbers.
KeyPtr rsa_key(const std::vector<CK_BYTE>& modulus, const std::vector<CK_BYTE>& exponent) {
  std::unique_ptr<BIGNUM, decltype(&BN_free)> n(
      BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr), BN_free);
  std::unique_ptr<BIGNUM, decltype(&BN_free)> e(
      BN_bin2bn(exponent.data(), static_cast<int>(exponent.size()), nullptr), BN_free);
  std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)> build(OSSL_PARAM_BLD_new(),
                                                                        OSSL_PARAM_BLD_free);
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
  std::unique_ptr<OSSL_PARAM, decltype(&OSSL_PARAM_free)> params(
      OSSL_PARAM_BLD_to_param(build.get()), OSSL_PARAM_free);
  std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr), EVP_PKEY_CTX_free);
  EVP_PKEY* key = nullptr;
  EVP_PKEY_fromdata_init(context.get());
  EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get());
  return {key, EVP_PKEY_free};
}

bool verified(EVP_PKEY* key, const std::vector<CK_BYTE>& data,
              const std::vector<CK_BYTE>& signature) {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                  EVP_MD_CTX_free);
  return EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(), data.data(),
                          data.size()) == 1;
}

struct Work {
  const Module& module;
  CK_SLOT_ID slot;
  int thread;
  int signatures;
};

/// One thread's share: a session of its own, each document another one.
int sign_all(const Work& work) {
  const auto session = work.module.open(work.slot);
  const auto private_keys = work.module.find_class(session, CKO_PRIVATE_KEY);
  const auto public_keys = work.module.find_class(session, CKO_PUBLIC_KEY);
  if (private_keys.empty() || public_keys.empty())
    throw std::runtime_error("no key pair on the token");
  const auto key = rsa_key(work.module.attribute(session, public_keys[0], CKA_MODULUS),
                           work.module.attribute(session, public_keys[0], CKA_PUBLIC_EXPONENT));
  int good = 0;
  for (int i = 0; i < work.signatures; ++i) {
    const std::string text =
        "thread " + std::to_string(work.thread) + " document " + std::to_string(i);
    const std::vector<CK_BYTE> document(text.begin(), text.end());
    good += verified(key.get(), document,
                     work.module.sign(session, private_keys[0], CKM_SHA256_RSA_PKCS, document));
  }
  kilt::client::check(work.module->C_CloseSession(session), "C_CloseSession");
  return good;
}

int run(const char* path, const std::string& pin, int threads, int signatures) {
  const Module module(path);
  module.initialize();
  const auto slots = module.slots();
  std::vector<CK_SESSION_HANDLE> keepers;
  for (auto slot : slots) {
    keepers.push_back(module.open(slot));
    module.login(keepers.back(), pin);
  }
  std::atomic<int> good = 0;
  std::mutex mutex;
  std::string problem;
  std::vector<std::thread> pool;
  for (auto slot : slots) {
    for (int t = 0; t < threads; ++t) {
      pool.emplace_back([&, slot, t] {
        try {
          good += sign_all({module, slot, t, signatures});
        } catch (const std::exception& e) {
          const std::scoped_lock lock(mutex);
          problem = e.what();
        }
      });
    }
  }
  for (auto& thread : pool)
    thread.join();
  kilt::client::check(module->C_Finalize(nullptr), "C_Finalize");
  const int wanted = static_cast<int>(slots.size()) * threads * signatures;
  std::printf("%d signatures verified on %zu tokens\n", good.load(), slots.size());
  if (!problem.empty()) std::fprintf(stderr, "%s\n", problem.c_str());
  return !slots.empty() && good == wanted ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: hammer MODULE PIN THREADS SIGNATURES\n");
    return 2;
  }
  try {
    return run(argv[1], argv[2], std::atoi(argv[3]), std::atoi(argv[4]));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
