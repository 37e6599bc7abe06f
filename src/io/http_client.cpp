#include "io/http_client.hpp"

#include <curl/curl.h>

#include <boost/asio/as_tuple.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <unordered_map>

namespace lifeboat {
namespace {

bool has_control_characters(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

class CurlList {
 public:
  CurlList() = default;
  ~CurlList() { curl_slist_free_all(head_); }
  CurlList(const CurlList&) = delete;
  CurlList& operator=(const CurlList&) = delete;
  void add(const std::string& line) { head_ = curl_slist_append(head_, line.c_str()); }
  curl_slist* get() const { return head_; }

 private:
  curl_slist* head_ = nullptr;
};

// One request or mail on its way through the thread.
struct Job {
  std::variant<HttpRequest, MailTransfer> what;
  Deadline deadline;
  // Of the thread, while it runs.
  CurlList headers;
  CurlList connect_to;
  CurlList recipients;
  char problem[CURL_ERROR_SIZE] = {};
  HttpResponse response;
  size_t mail_sent = 0;
  bool too_large = false;
  Result<HttpResponse> result{std::unexpect, Error{ErrorKind::cancelled, "not answered"}};
  // Between the thread and the caller. `waiting` is null once the caller has gone.
  std::mutex mutex;
  asio::steady_timer* waiting = nullptr;
  bool done = false;  // only touched on the caller's executor
};

size_t take_body(char* data, size_t size, size_t count, void* to) {
  auto& job = *static_cast<Job*>(to);
  size_t bytes = size * count;
  const auto* request = std::get_if<HttpRequest>(&job.what);
  if (request != nullptr && request->on_piece) return request->on_piece({data, bytes}) ? bytes : 0;
  if (request != nullptr && job.response.body.size() + bytes > request->largest_body) {
    job.too_large = true;
    return 0;
  }
  job.response.body.append(data, bytes);
  return bytes;
}

size_t take_header(char* data, size_t size, size_t count, void* to) {
  auto& job = *static_cast<Job*>(to);
  std::string_view line(data, size * count);
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {
    job.response.headers.clear();  // those of a "100 Continue" before were not the answer's
    return size * count;
  }
  size_t colon = line.find(':');
  if (colon == std::string_view::npos || job.response.headers.size() >= 200) return size * count;
  std::string_view value = line.substr(colon + 1);
  while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
  job.response.headers.emplace_back(lower(std::string(line.substr(0, colon))), std::string(value));
  return size * count;
}

size_t give_mail(char* to, size_t size, size_t count, void* from) {
  auto& job = *static_cast<Job*>(from);
  const std::string& message = std::get<MailTransfer>(job.what).message;
  size_t bytes = std::min(size * count, message.size() - job.mail_sent);
  std::copy_n(message.data() + job.mail_sent, bytes, to);
  job.mail_sent += bytes;
  return bytes;
}

Result<void> check(const HttpRequest& request) {
  auto invalid = [&](std::string what) { return fail(ErrorKind::invalid_input, std::move(what)); };
  if (!request.url.starts_with("http://") && !request.url.starts_with("https://"))
    return invalid("the address of a request starts with http:// or https://");
  if (has_control_characters(request.url) || request.url.find(' ') != std::string::npos)
    return invalid(url_for_people(request.url) + ": the address holds a space or control character");
  if (has_control_characters(request.bearer)) return invalid("the bearer token holds a control character");
  for (const auto& [name, value] : request.headers) {
    if (name.empty() || has_control_characters(name) || name.find(':') != std::string::npos ||
        has_control_characters(value))
      return invalid(fmt::format("header '{}' holds a control character", Decoder::printable(name)));
  }
  return {};
}

void prepare_http(CURL* easy, Job& job, const HttpRequest& request) {
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  // What a server signs or stores by its path must reach it as it was written.
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (request.method != "GET" || !request.body.empty()) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    job.headers.add("Expect:");
  }
  bool typed = false;
  for (const auto& [name, value] : request.headers) {
    typed = typed || lower(name) == "content-type";
    job.headers.add(value.empty() ? name + ";" : name + ": " + value);
  }
  if (!request.bearer.empty()) job.headers.add("Authorization: Bearer " + request.bearer);
  if (!typed) job.headers.add("Content-Type:");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, job.headers.get());
  if (!request.connect_to.empty()) {
    bool has_port =
        request.connect_to.find(':') != std::string::npos &&
        (request.connect_to.find(':') == request.connect_to.rfind(':') || request.connect_to.starts_with('['));
    job.connect_to.add("::" + request.connect_to + (has_port ? "" : ":"));
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, job.connect_to.get());
  }
  // curl sends a request again by itself when a kept connection turns out to be dead. For what changes something that
  // would be a second try nobody asked for, so such requests never use a kept one.
  bool harmless = request.method == "GET" || request.method == "HEAD" || request.repeatable;
  if (request.fresh_connection || !harmless) curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  if (request.fresh_connection) curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &job);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, request.verify_tls ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, request.verify_tls ? 2L : 0L);
  if (!request.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, request.ca_file.c_str());
}

void prepare_mail(CURL* easy, Job& job, const MailTransfer& mail) {
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(easy, CURLOPT_URL, mail.url.c_str());
  curl_easy_setopt(easy, CURLOPT_USE_SSL, static_cast<long>(mail.require_tls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, mail.verify_tls ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, mail.verify_tls ? 2L : 0L);
  if (!mail.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, mail.ca_file.c_str());
  if (!mail.user.empty()) {
    curl_easy_setopt(easy, CURLOPT_USERNAME, mail.user.c_str());
    curl_easy_setopt(easy, CURLOPT_PASSWORD, mail.password.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_MAIL_FROM, mail.from.c_str());
  for (const std::string& address : mail.to) job.recipients.add(address);
  curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, job.recipients.get());
  curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_mail);
  curl_easy_setopt(easy, CURLOPT_READDATA, &job);
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
}

void prepare(CURL* easy, Job& job) {
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, job.problem);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  // A name server that is lost with its region must not hold this thread while a handle is cleaned up.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<int64_t>(1, job.deadline.left().count())));
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &job);
  if (const auto* request = std::get_if<HttpRequest>(&job.what)) prepare_http(easy, job, *request);
  if (const auto* mail = std::get_if<MailTransfer>(&job.what)) prepare_mail(easy, job, *mail);
}

// Whether the other side may have acted on it: for a mail, once the whole message was given away.
bool was_sent(CURL* easy, const Job& job) {
  if (const auto* mail = std::get_if<MailTransfer>(&job.what)) return job.mail_sent == mail->message.size();
  long bytes = 0;
  curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &bytes);
  return bytes > 0;
}

Result<HttpResponse> judge(CURL* easy, CURLcode code, Job& job) {
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  curl_off_t took = 0;
  curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &took);
  job.response.status = static_cast<int>(status);
  job.response.took = std::chrono::duration_cast<Duration>(std::chrono::microseconds(took));
  if (code == CURLE_OK) return std::move(job.response);

  const auto* request = std::get_if<HttpRequest>(&job.what);
  std::string to = url_for_people(request != nullptr ? request->url : std::get<MailTransfer>(job.what).url);
  std::string why = job.problem[0] != '\0' ? job.problem : curl_easy_strerror(code);
  std::string what = fmt::format("{} {}: {}", request != nullptr ? request->method : "mail to", to, why);
  if (job.too_large)
    return fail(ErrorKind::refused,
                fmt::format("{} {}: the answer is larger than {} bytes", request->method, to, request->largest_body));
  bool mail_refused = request == nullptr && status >= 500;
  if (code == CURLE_LOGIN_DENIED || mail_refused) return fail(ErrorKind::refused, what);
  if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) return fail(ErrorKind::invalid_input, what);
  bool mail_answered = request == nullptr && status >= 400;
  if (was_sent(easy, job) && !mail_answered) return fail(ErrorKind::unknown_outcome, what);
  return fail(code == CURLE_OPERATION_TIMEDOUT ? ErrorKind::timed_out : ErrorKind::unreachable, what);
}

// Hands the result to the caller, if there still is one. Posting under the mutex keeps the caller's executor alive:
// its coroutine takes the same mutex before it goes away.
void give_back(const std::shared_ptr<Job>& job) {
  std::lock_guard lock(job->mutex);
  if (job->waiting == nullptr) return;
  asio::post(job->waiting->get_executor(), [job] {
    job->done = true;
    if (job->waiting != nullptr) job->waiting->cancel();
  });
}

}  // namespace

struct HttpClient::State {
  std::mutex mutex;
  std::vector<std::shared_ptr<Job>> queued;
  std::vector<std::shared_ptr<Job>> dropped;
  bool stopping = false;
  CURLM* multi = nullptr;
  std::thread thread;
  // Of the thread.
  std::unordered_map<CURL*, std::shared_ptr<Job>> running;
  std::vector<CURL*> spare;

  void run();
  void begin(const std::shared_ptr<Job>& job);
  void end(CURL* easy, const std::shared_ptr<Job>& job);
  void collect();
  bool take_orders();
  void enqueue(const std::shared_ptr<Job>& job);
};

void HttpClient::State::begin(const std::shared_ptr<Job>& job) {
  CURL* easy = nullptr;
  if (spare.empty()) {
    easy = curl_easy_init();
  } else {
    easy = spare.back();
    spare.pop_back();
  }
  if (easy == nullptr) {
    job->result = fail(ErrorKind::internal, "out of memory for a request");
    return give_back(job);
  }
  prepare(easy, *job);
  if (curl_multi_add_handle(multi, easy) != CURLM_OK) {
    curl_easy_cleanup(easy);
    job->result = fail(ErrorKind::internal, "the request could not be started");
    return give_back(job);
  }
  running.emplace(easy, job);
}

void HttpClient::State::end(CURL* easy, const std::shared_ptr<Job>& job) {
  curl_multi_remove_handle(multi, easy);
  running.erase(easy);
  curl_easy_reset(easy);
  if (spare.size() < 256) {
    spare.push_back(easy);
  } else {
    curl_easy_cleanup(easy);
  }
  give_back(job);
}

void HttpClient::State::collect() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    CURLcode code = message->data.result;
    std::shared_ptr<Job> job = running.at(easy);
    job->result = judge(easy, code, *job);
    end(easy, job);
  }
}

// What callers asked for since the last time. False: stop.
bool HttpClient::State::take_orders() {
  std::vector<std::shared_ptr<Job>> fresh, gone;
  {
    std::lock_guard lock(mutex);
    if (stopping) return false;
    fresh.swap(queued);
    gone.swap(dropped);
  }
  for (const auto& job : fresh) begin(job);
  for (const auto& job : gone) {
    auto found = std::ranges::find(running, job, [](const auto& entry) { return entry.second; });
    if (found != running.end()) end(found->first, job);
  }
  return true;
}

void HttpClient::State::run() {
  while (take_orders()) {
    int active = 0;
    curl_multi_perform(multi, &active);
    collect();
    curl_multi_poll(multi, nullptr, 0, 1'000, nullptr);
  }
  std::vector<std::shared_ptr<Job>> left;
  while (!running.empty()) {
    auto [easy, job] = *running.begin();
    job->result = fail(ErrorKind::cancelled, "the HTTP client was stopped");
    end(easy, job);
  }
  {
    std::lock_guard lock(mutex);
    left.swap(queued);
  }
  for (const auto& job : left) {
    job->result = fail(ErrorKind::cancelled, "the HTTP client was stopped");
    give_back(job);
  }
  for (CURL* easy : spare) curl_easy_cleanup(easy);
  spare.clear();
}

void HttpClient::State::enqueue(const std::shared_ptr<Job>& job) {
  std::lock_guard lock(mutex);
  queued.push_back(job);
  curl_multi_wakeup(multi);
}

HttpClient::HttpClient() : state_(std::make_shared<State>()) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) throw std::runtime_error("libcurl does not start");
  state_->multi = curl_multi_init();
  if (state_->multi == nullptr) throw std::bad_alloc();
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

HttpClient::~HttpClient() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    curl_multi_wakeup(state_->multi);
  }
  state_->thread.join();
  std::lock_guard lock(state_->mutex);
  curl_multi_cleanup(state_->multi);
  state_->multi = nullptr;
}

namespace {

// The caller's end of a job: whoever leaves, for whatever reason, takes its timer out of the thread's reach.
template <class StateType>
class Waiting {
 public:
  Waiting(std::shared_ptr<StateType> state, std::shared_ptr<Job> job, asio::steady_timer& timer)
      : state_(std::move(state)), job_(std::move(job)) {
    job_->waiting = &timer;
  }
  ~Waiting() {
    {
      std::lock_guard lock(job_->mutex);
      job_->waiting = nullptr;
    }
    if (!job_->done) {
      std::lock_guard lock(state_->mutex);
      if (state_->multi == nullptr || state_->stopping) return;
      state_->dropped.push_back(job_);
      curl_multi_wakeup(state_->multi);
    }
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  std::shared_ptr<StateType> state_;
  std::shared_ptr<Job> job_;
};

template <class StateType>
Task<Result<HttpResponse>> carry_out(std::shared_ptr<StateType> state, std::shared_ptr<Job> job) {
  if (job->deadline.passed()) co_return fail(ErrorKind::timed_out, "the request: no time left to begin");
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_at(asio::steady_timer::time_point::max());
  Waiting<StateType> waiting(state, job, timer);
  state->enqueue(job);
  while (!job->done) {
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    auto cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
    if (!job->done && cancelled != asio::cancellation_type::none)
      throw boost::system::system_error(asio::error::operation_aborted);
  }
  co_return std::move(job->result);
}

}  // namespace

Task<Result<HttpResponse>> HttpClient::send(HttpRequest request, Deadline deadline) {
  if (auto sound = check(request); !sound) co_return std::unexpected(std::move(sound).error());
  auto job = std::make_shared<Job>();
  job->what = std::move(request);
  job->deadline = deadline;
  auto state = state_;
  co_return co_await carry_out(std::move(state), std::move(job));
}

Task<Result<HttpResponse>> HttpClient::transfer(MailTransfer mail, Deadline deadline) {
  auto job = std::make_shared<Job>();
  job->what = std::move(mail);
  job->deadline = deadline;
  auto state = state_;
  co_return co_await carry_out(std::move(state), std::move(job));
}

std::string HttpResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

std::string url_for_people(std::string_view url) {
  size_t scheme = url.find("://");
  size_t start = scheme == std::string_view::npos ? 0 : scheme + 3;
  size_t end = std::min(url.find_first_of("/?#", start), url.size());
  size_t user = url.substr(start, end - start).rfind('@');
  std::string_view host = url.substr(start, end - start);
  if (user != std::string_view::npos) host.remove_prefix(user + 1);
  return Decoder::printable(fmt::format("{}{}", url.substr(0, start), host));
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                 c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace lifeboat
