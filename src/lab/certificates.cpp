#include "lab/certificates.hpp"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace lifeboat::lab {

namespace {

template <class T, void (*Free)(T*)>
struct Freed {
  void operator()(T* value) const { Free(value); }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>>;
using Cert = std::unique_ptr<X509, Freed<X509, X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION, X509_EXTENSION_free>>;
struct BioFreed {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Memory = std::unique_ptr<BIO, BioFreed>;

constexpr long kDay = 24L * 3600;

Error trouble(std::string_view what) {
  return Error{.kind = ErrorKind::internal, .what = "OpenSSL could not make " + std::string(what)};
}

std::string text_in(const Memory& memory) {
  char* data = nullptr;
  long size = BIO_get_mem_data(memory.get(), &data);
  return size > 0 ? std::string(data, static_cast<size_t>(size)) : std::string();
}

std::string pem(X509* certificate) {
  Memory memory(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(memory.get(), certificate);
  return text_in(memory);
}

std::string pem(EVP_PKEY* key) {
  Memory memory(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(memory.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return text_in(memory);
}

bool extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  Extension extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

Cert begin(EVP_PKEY* key, const std::string& name) {
  Cert out(X509_new());
  if (!out) return out;
  X509_set_version(out.get(), 2);
  std::unique_ptr<BIGNUM, Freed<BIGNUM, BN_free>> serial(BN_new());
  BN_rand(serial.get(), 120, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY);
  BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(out.get()));
  X509_gmtime_adj(X509_getm_notBefore(out.get()), -kDay);
  X509_gmtime_adj(X509_getm_notAfter(out.get()), 30 * kDay);
  X509_set_pubkey(out.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(out.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return out;
}

}  // namespace

struct Authority::State {
  Key key;
  Cert certificate;
};

Authority::Authority(std::unique_ptr<State> state) : state_(std::move(state)) {}
Authority::Authority(Authority&& other) noexcept = default;
Authority& Authority::operator=(Authority&& other) noexcept = default;
Authority::~Authority() = default;

Result<Authority> Authority::create() {
  auto state = std::make_unique<State>();
  state->key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  if (!state->key) return std::unexpected(trouble("a key"));
  state->certificate = begin(state->key.get(), "Lifeboat lab");
  X509* made = state->certificate.get();
  if (made == nullptr) return std::unexpected(trouble("a certificate"));
  X509_set_issuer_name(made, X509_get_subject_name(made));
  bool good = extend(made, made, NID_basic_constraints, "critical,CA:TRUE") &&
              extend(made, made, NID_key_usage, "critical,keyCertSign") &&
              X509_sign(made, state->key.get(), EVP_sha256()) > 0;
  if (!good) return std::unexpected(trouble("an authority"));
  return Authority(std::move(state));
}

std::string Authority::certificate() const { return pem(state_->certificate.get()); }

Result<Certificate> Authority::issue(const std::string& name, const std::vector<std::string>& addresses) const {
  Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  if (!key) return std::unexpected(trouble("a key"));
  Cert made = begin(key.get(), name);
  if (!made) return std::unexpected(trouble("a certificate"));
  X509_set_issuer_name(made.get(), X509_get_subject_name(state_->certificate.get()));
  // pgBackRest compares the address it was given with names only, so an IP address stands among them as a name too.
  std::string names = "DNS:" + name;
  for (const std::string& address : addresses) names += ",DNS:" + address;
  bool good = extend(made.get(), state_->certificate.get(), NID_subject_alt_name, names) &&
              X509_sign(made.get(), state_->key.get(), EVP_sha256()) > 0;
  if (!good) return std::unexpected(trouble("a certificate of " + name));
  return Certificate{pem(made.get()), pem(key.get())};
}

}  // namespace lifeboat::lab
