;; 195 bytes, 98 instructions
(module
  (type (;0;) (func (param i32 i64) (result i64 i64)))
  (type (;1;) (func (param i32 i64 i64 i64) (result i64)))
  (type (;2;) (func (param i32 i32 i64 i32) (result i64)))
  (import "friscy" "memory" (memory (;0;) 0))
  (import "friscy" "table" (table (;0;) 0 funcref))
  (import "friscy" "float" (func (;0;) (type 1)))
  (elem (;0;) (i32.const 2) func 1)
  (func (;1;) (type 0) (param i32 i64) (result i64 i64)
    (local i64 i64 i64 i32 i32 i32 i64)
    block ;; label = @1
      br 0 (;@1;)
    end
    block ;; label = @1
      block ;; label = @2
        i32.const 0
        i64.load offset=65544
        local.set 2
        i32.const 0
        i64.load offset=65616
        local.set 3
        i32.const 0
        i64.load offset=65624
        local.set 4
        local.get 4
        i64.const 0
        i64.ne
        i32.eqz
        br_if 1 (;@1;)
        br 0 (;@2;)
      end
      local.get 3
      i32.wrap_i64
      local.set 5
      local.get 4
      i32.wrap_i64
      local.tee 6
      i32.const 1
      i32.add
      i32.const 2
      i32.lt_u
      if (result i32) ;; label = @2
        i32.const 0
        local.get 5
        i32.sub
        i32.const -1
        local.get 6
        select
      else
        local.get 5
        local.get 6
        i32.div_s
      end
      local.set 7
      local.get 2
      i64.const -2
      i64.and
      local.set 8
      i32.const 0
      local.get 7
      i64.extend_i32_s
      i64.store offset=65616
      local.get 1
      i64.const 3
      i64.sub
      local.set 1
      local.get 1
      i64.const 0
      i64.le_s
      (@metadata.code.branch_hint "\00")
      if ;; label = @2
        i32.const 0
        local.get 8
        i64.store offset=67584
        i64.const 3
        local.get 1
        return
      end
      local.get 8
      local.get 1
      return
    end
    local.get 2
    i64.const -2
    i64.and
    local.set 8
    i32.const 0
    i64.const -1
    i64.store offset=65616
    local.get 1
    i64.const 3
    i64.sub
    local.set 1
    local.get 1
    i64.const 0
    i64.le_s
    (@metadata.code.branch_hint "\00")
    if ;; label = @1
      i32.const 0
      local.get 8
      i64.store offset=67584
      i64.const 3
      local.get 1
      return
    end
    local.get 8
    local.get 1
    return
    unreachable
  )
)
