-- Each request with one of many keys. `wrk … -- FILE`: an Authorization header's value a line.
local requests = {}

function init(args)
  for value in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("GET", nil, { Authorization = value })
  end
end

function request()
  return requests[math.random(#requests)]
end

-- One line for load.py: requests, microseconds, refused ones, broken connections.
function done(summary)
  local errors = summary.errors
  io.write(string.format("measured %d %d %d %d\n", summary.requests, summary.duration,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
