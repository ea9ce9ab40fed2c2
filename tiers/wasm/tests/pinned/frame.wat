;; 651 bytes, 276 instructions
(module
  (type (;0;) (func (param i32 i64) (result i64 i64)))
  (type (;1;) (func (param i32 i64 i64 i64) (result i64)))
  (type (;2;) (func (param i32 i32 i64 i32) (result i64)))
  (import "friscy" "memory" (memory (;0;) 0))
  (import "friscy" "table" (table (;0;) 0 funcref))
  (import "friscy" "float" (func (;0;) (type 1)))
  (elem (;0;) (i32.const 2) func 1)
  (func (;1;) (type 0) (param i32 i64) (result i64 i64)
    (local i32 i64 i64 i64 i32 i32 i64 i64 i64 i32 i64)
    block ;; label = @1
      block ;; label = @2
        local.get 0
        i32.const 1048575
        i32.and
        local.set 2
        local.get 2
        i32.eqz
        (@metadata.code.branch_hint "\01")
        br_if 0 (;@2;)
        local.get 2
        br_table 0 (;@2;) 1 (;@1;) 0 (;@2;)
      end
      block ;; label = @2
        block ;; label = @3
          block ;; label = @4
            i32.const 0
            i64.load offset=65552
            local.set 3
            local.get 3
            i64.const -32
            i64.add
            local.set 4
            i32.const 0
            i64.load offset=65544
            local.set 5
            local.get 3
            i32.wrap_i64
            i32.const -24
            i32.add
            i32.const 12
            i32.shr_u
            local.tee 6
            i32.load8_u offset=1048576
            i32.const 50
            i32.and
            i32.const 18
            i32.ne
            (@metadata.code.branch_hint "\00")
            if ;; label = @5
              local.get 6
              i32.load8_s offset=1048576
              i32.const 34
              i32.and
              i32.const 2
              i32.ne
              (@metadata.code.branch_hint "\00")
              br_if 1 (;@4;)
              local.get 6
              local.get 6
              i32.load8_s offset=1048576
              i32.const 16
              i32.or
              i32.store8 offset=1048576
            end
            local.get 3
            i32.wrap_i64
            i32.const -1
            i32.add
            i32.const 12
            i32.shr_u
            local.tee 7
            i32.load8_u offset=1048576
            i32.const 50
            i32.and
            i32.const 18
            i32.ne
            (@metadata.code.branch_hint "\00")
            if ;; label = @5
              local.get 7
              i32.load8_s offset=1048576
              i32.const 34
              i32.and
              i32.const 2
              i32.ne
              (@metadata.code.branch_hint "\00")
              br_if 1 (;@4;)
              local.get 7
              local.get 7
              i32.load8_s offset=1048576
              i32.const 16
              i32.or
              i32.store8 offset=1048576
            end
            local.get 3
            i32.wrap_i64
            local.get 5
            i64.store offset=268435448 align=1
            i32.const 0
            i64.load offset=65600
            local.set 8
            local.get 3
            i32.wrap_i64
            local.get 8
            i64.store offset=268435440 align=1
            i32.const 0
            i64.load offset=65608
            local.set 9
            local.get 3
            i32.wrap_i64
            local.get 9
            i64.store offset=268435432 align=1
            i32.const 0
            i64.load offset=65616
            local.set 10
            i32.const 0
            i64.const 65560
            i64.store offset=65544
            i32.const 0
            local.get 4
            i64.store offset=65552
            i32.const 0
            local.get 10
            i64.store offset=65600
            local.get 1
            i64.const 6
            i64.sub
            local.set 1
            local.get 1
            i64.const 0
            i64.le_s
            (@metadata.code.branch_hint "\00")
            if ;; label = @5
              i32.const 0
              i64.const 65620
              i64.store offset=67584
              i64.const 3
              local.get 1
              return
            end
            local.get 0
            i32.const -1048576
            i32.and
            i32.const 4194304
            i32.add
            local.set 11
            local.get 11
            i32.const -1073741824
            i32.ge_u
            (@metadata.code.branch_hint "\00")
            if ;; label = @5
              i64.const 65620
              local.get 1
              return
            end
            local.get 11
            i32.const 0
            i32.load offset=2113540
            i32.or
            local.get 1
            i32.const 0
            i32.load offset=2113536
            call_indirect (type 0)
            local.set 1
            local.tee 12
            i64.const 65560
            i64.ne
            (@metadata.code.branch_hint "\00")
            if ;; label = @5
              local.get 12
              local.get 1
              return
            end
            br 3 (;@1;)
          end
          i32.const 0
          local.get 4
          i64.store offset=65552
          i32.const 0
          i64.const 65540
          i64.store offset=67584
          i64.const 5
          local.get 1
          i64.const 1
          i64.sub
          return
        end
        unreachable
      end
      unreachable
    end
    block ;; label = @1
      i32.const 0
      i64.load offset=65616
      local.set 3
      i32.const 0
      i64.load offset=65600
      local.set 12
      i32.const 0
      i64.load offset=65552
      local.set 4
      local.get 4
      i32.wrap_i64
      i32.const 8
      i32.add
      i32.const 12
      i32.shr_u
      i32.load8_u offset=1048576
      i32.const 33
      i32.and
      i32.const 1
      i32.ne
      (@metadata.code.branch_hint "\00")
      br_if 0 (;@1;)
      local.get 4
      i32.wrap_i64
      i32.const 31
      i32.add
      i32.const 12
      i32.shr_u
      i32.load8_u offset=1048576
      i32.const 33
      i32.and
      i32.const 1
      i32.ne
      (@metadata.code.branch_hint "\00")
      br_if 0 (;@1;)
      local.get 4
      i32.wrap_i64
      i64.load offset=268435480 align=1
      local.set 10
      local.get 4
      i32.wrap_i64
      i64.load offset=268435472 align=1
      local.set 9
      local.get 4
      i32.wrap_i64
      i64.load offset=268435464 align=1
      local.set 8
      local.get 10
      i64.const -2
      i64.and
      local.set 5
      i32.const 0
      local.get 10
      i64.store offset=65544
      i32.const 0
      local.get 4
      i64.const 32
      i64.add
      i64.store offset=65552
      i32.const 0
      local.get 9
      i64.store offset=65600
      i32.const 0
      local.get 8
      i64.store offset=65608
      i32.const 0
      local.get 3
      local.get 12
      i64.add
      i64.store offset=65616
      local.get 1
      i64.const 6
      i64.sub
      local.set 1
      local.get 1
      i64.const 0
      i64.le_s
      (@metadata.code.branch_hint "\00")
      if ;; label = @2
        i32.const 0
        local.get 5
        i64.store offset=67584
        i64.const 3
        local.get 1
        return
      end
      local.get 5
      local.get 1
      return
    end
    i32.const 0
    local.get 3
    local.get 12
    i64.add
    i64.store offset=65616
    i32.const 0
    i64.const 65564
    i64.store offset=67584
    i64.const 5
    local.get 1
    i64.const 1
    i64.sub
    return
    unreachable
  )
)
