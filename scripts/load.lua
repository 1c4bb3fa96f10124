-- For wrk: what one user of the mall asks again and again, as the load test of the mall's own document has it, the list and
-- then one product. With a token every tenth request is an exchange instead. Prints one line of figures.
local all = {}

function setup(thread)
  table.insert(all, thread)
end

function init(args)
  asked, wrong, token = 0, 0, args[1]
  buys = token and {
    ["Authorization"] = "Bearer " .. token,
    ["Content-Type"] = "application/json",
  }
end

function request()
  asked = asked + 1
  if buys and asked % 10 == 0 then
    local body = '{"productId":"prod_starbucks","quantity":1,"confirm":true}'
    return wrk.format("POST", "/api/mall/exchange", buys, body)
  elseif asked % 2 == 0 then
    return wrk.format("GET", "/api/mall/products/prod_starbucks")
  end
  return wrk.format("GET", "/api/mall/products")
end

-- Which request it answers is not told.
function response(status, headers, body)
  local is_whole = body:find('"data":{"id":"prod_starbucks"', 1, true)
    or body:find('"data":{"products":[{', 1, true)
    or body:find('"data":{"orderId":"ord_', 1, true)
  if status ~= 200 or not is_whole then
    wrong = wrong + 1
  end
end

function done(summary, latency)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  for _, thread in ipairs(all) do
    failed = failed + thread:get("wrong")
  end
  local asked = math.max(summary.requests, 1)
  print(string.format("figures %d %.0f %.2f %.2f %.4f", summary.requests, asked / (summary.duration / 1e6),
    latency:percentile(50) / 1000, latency:percentile(95) / 1000, 100 * failed / asked))
end
