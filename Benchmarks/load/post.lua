-- For wrk: repeats POSTs of JOBS_PER_REQUEST jobs, and prints the results of wrk as one line of JSON.

local jobs = tonumber(os.getenv("JOBS_PER_REQUEST"))
local job = os.getenv("JOB")

wrk.method = "POST"
wrk.body = jobs == 1 and job or '{"jobs":[' .. string.rep(job .. ",", jobs - 1) .. job .. "]}"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("API_SECRET_KEY")

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '{"requests":%d,"seconds":%.6f,"errors":%d,"p50_ms":%.3f,"p99_ms":%.3f,"max_ms":%.3f}\n',
        summary.requests, summary.duration / 1e6,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
