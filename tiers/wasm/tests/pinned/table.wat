;; 671 bytes, 312 instructions
(module
  (type (;0;) (func (param i32 i64) (result i64 i64)))
  (type (;1;) (func (param i32 i64 i64 i64) (result i64)))
  (type (;2;) (func (param i32 i32 i64 i32) (result i64)))
  (import "friscy" "memory" (memory (;0;) 0))
  (import "friscy" "table" (table (;0;) 0 funcref))
  (import "friscy" "float" (func (;0;) (type 1)))
  (elem (;0;) (i32.const 2) func 1)
  (func (;1;) (type 0) (param i32 i64) (result i64 i64)
    (local i32 i32 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i32)
    block ;; label = @1
      block ;; label = @2
        block ;; label = @3
          block ;; label = @4
            block ;; label = @5
              local.get 0
              i32.const 1048575
              i32.and
              local.set 3
              local.get 3
              i32.eqz
              (@metadata.code.branch_hint "\01")
              br_if 3 (;@2;)
              local.get 3
              br_table 3 (;@2;) 1 (;@4;) 0 (;@5;) 3 (;@2;)
            end
            i64.const 65560
            local.set 4
            br 1 (;@3;)
          end
          i64.const 65548
          local.set 4
          br 0 (;@3;)
        end
        i32.const 0
        i64.load offset=65624
        local.set 5
        i32.const 0
        i64.load offset=65632
        local.set 6
        local.get 4
        local.get 5
        local.get 6
        local.set 7
        local.set 8
        local.set 9
        i32.const 1
        local.set 2
        br 1 (;@1;)
      end
      i32.const 0
      i64.load offset=65624
      local.set 5
      i32.const 0
      i64.load offset=65616
      local.set 6
      local.get 6
      local.get 5
      i64.const 3
      i64.shl
      i64.add
      local.set 10
      i32.const 0
      i64.load offset=65632
      local.set 11
      local.get 11
      i64.const 1
      i64.add
      local.set 12
      local.get 1
      i64.const 3
      i64.sub
      local.set 1
      i32.const 0
      local.get 10
      i64.store offset=65624
      i32.const 0
      local.get 12
      i64.store offset=65632
      local.get 10
      local.get 12
      local.set 13
      local.set 4
      br 0 (;@1;)
    end
    loop ;; label = @1
      block ;; label = @2
        block ;; label = @3
          local.get 2
          local.set 3
          i32.const 0
          local.set 2
          local.get 3
          i32.eqz
          (@metadata.code.branch_hint "\01")
          br_if 0 (;@3;)
          local.get 3
          br_table 0 (;@3;) 1 (;@2;) 0 (;@3;)
        end
        block ;; label = @3
          local.get 4
          i32.wrap_i64
          local.tee 14
          i32.const 12
          i32.shr_u
          i32.load8_u offset=1048576
          i32.const 33
          i32.and
          i32.const 1
          i32.ne
          (@metadata.code.branch_hint "\00")
          br_if 0 (;@3;)
          local.get 14
          i32.const 7
          i32.and
          (@metadata.code.branch_hint "\00")
          if ;; label = @4
            local.get 14
            i32.const 7
            i32.add
            i32.const 12
            i32.shr_u
            i32.load8_u offset=1048576
            i32.const 33
            i32.and
            i32.const 1
            i32.ne
            (@metadata.code.branch_hint "\00")
            br_if 1 (;@3;)
          end
          local.get 4
          i32.wrap_i64
          i64.load offset=268435456 align=1
          local.set 12
          local.get 1
          i64.const 2
          i64.sub
          local.set 1
          local.get 1
          i64.const 0
          i64.le_s
          (@metadata.code.branch_hint "\00")
          if ;; label = @4
            i32.const 0
            local.get 12
            i64.store offset=65584
            i32.const 0
            local.get 12
            i64.const -2
            i64.and
            i64.store offset=67584
            i64.const 3
            local.get 1
            return
          end
          i32.const 0
          local.get 12
          i64.store offset=65584
          local.get 12
          local.get 4
          local.get 13
          local.set 7
          local.set 8
          local.set 9
          br 1 (;@2;)
        end
        i32.const 0
        i64.const 65548
        i64.store offset=67584
        i64.const 5
        local.get 1
        return
      end
      block ;; label = @2
        loop ;; label = @3
          block ;; label = @4
            local.get 9
            local.set 11
            block ;; label = @5
              local.get 11
              i64.const 65548
              i64.eq
              (@metadata.code.branch_hint "\01")
              if ;; label = @6
                br 4 (;@2;)
              end
              local.get 11
              i64.const 65560
              i64.eq
              (@metadata.code.branch_hint "\01")
              if ;; label = @6
                br 2 (;@4;)
              end
              br 0 (;@5;)
            end
            local.get 11
            i64.const -2
            i64.and
            local.set 11
            local.get 11
            i32.wrap_i64
            i32.const 3
            i32.shl
            i32.const 65520
            i32.and
            local.tee 3
            i64.load offset=2097152
            local.get 11
            i64.ne
            (@metadata.code.branch_hint "\00")
            if ;; label = @5
              local.get 3
              i32.const 16
              i32.xor
              local.tee 3
              i64.load offset=2097152
              local.get 11
              i64.ne
              (@metadata.code.branch_hint "\00")
              if ;; label = @6
                local.get 11
                local.get 1
                return
              end
            end
            local.get 0
            i32.const -1048576
            i32.and
            local.get 3
            i32.load offset=2097164
            i32.or
            local.get 1
            local.get 3
            i32.load offset=2097160
            return_call_indirect (type 0)
          end
          block ;; label = @4
            local.get 7
            i64.const 2
            i64.add
            local.set 12
            local.get 8
            i32.wrap_i64
            i32.const 8
            i32.add
            local.tee 3
            i32.const 12
            i32.shr_u
            i32.load8_u offset=1048576
            i32.const 33
            i32.and
            i32.const 1
            i32.ne
            (@metadata.code.branch_hint "\00")
            br_if 0 (;@4;)
            local.get 3
            i32.const 7
            i32.and
            (@metadata.code.branch_hint "\00")
            if ;; label = @5
              local.get 3
              i32.const 7
              i32.add
              i32.const 12
              i32.shr_u
              i32.load8_u offset=1048576
              i32.const 33
              i32.and
              i32.const 1
              i32.ne
              (@metadata.code.branch_hint "\00")
              br_if 1 (;@4;)
            end
            local.get 8
            i32.wrap_i64
            i64.load offset=268435464 align=1
            local.set 11
            local.get 1
            i64.const 3
            i64.sub
            local.set 1
            local.get 1
            i64.const 0
            i64.le_s
            (@metadata.code.branch_hint "\00")
            if ;; label = @5
              i32.const 0
              local.get 11
              i64.store offset=65584
              i32.const 0
              local.get 12
              i64.store offset=65632
              i32.const 0
              local.get 11
              i64.const -2
              i64.and
              i64.store offset=67584
              i64.const 3
              local.get 1
              return
            end
            i32.const 0
            local.get 11
            i64.store offset=65584
            i32.const 0
            local.get 12
            i64.store offset=65632
            local.get 11
            local.get 12
            local.set 7
            local.set 9
            br 1 (;@3;)
          end
          i32.const 0
          local.get 12
          i64.store offset=65632
          i32.const 0
          i64.const 65564
          i64.store offset=67584
          i64.const 5
          local.get 1
          i64.const 1
          i64.sub
          return
          unreachable
        end
      end
      local.get 8
      local.get 7
      local.set 13
      local.set 4
      br 0 (;@1;)
      unreachable
    end
    unreachable
  )
)
